"""The gradients of a batch: of this process's share of it, in parts where memory asks for it.

What is minimised is a mean over the whole batch. So each part counts by its share of the sentences,
and the sum over parts and processes is what one process gets in one part, to float tolerance. With
REINFORCE it differs a little more, as advantages are normalised within a part.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from textwrap import shorten
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from model.modeling import T5ForSentimentClassification
from model.optimization import seed_of
from model.reinforce import reinforce_loss, smoothed_cross_entropy
from model.report import TrainingError
from model.settings import TrainingSettings
from model.workers import Workers, lost_workers

Batch = dict[str, Tensor]


class Objective(nn.Module):
    """What is minimised, as one module, so that `DistributedDataParallel` can wrap it."""

    def __init__(self, model: T5ForSentimentClassification, settings: TrainingSettings) -> None:
        super().__init__()
        self.model = model
        self.settings = settings

    def forward(self, batch: Batch) -> tuple[Tensor, dict[str, Tensor]]:
        """Give the loss of a batch, a scalar, and scalars that tell of it."""
        if self.settings.reinforce:
            return reinforce_loss(self.model, batch, self.settings)
        output = self.model(**batch)
        loss, smoothing = output.loss, self.settings.label_smoothing
        if smoothing:
            loss = smoothed_cross_entropy(output.logits, batch["labels"], smoothing).mean()
        return loss, {"loss": loss.detach()}


class Gradients:
    """Computes the gradients of a batch into the model's parameters.

    Attributes:
        parts: into how many parts each process's share of a batch is divided.
    """

    def __init__(
        self,
        model: T5ForSentimentClassification,
        settings: TrainingSettings,
        workers: Workers,
        is_bf16: bool,
    ) -> None:
        self.parts = settings.batch_parts
        self._settings = settings
        self._workers = workers
        self._device = model.device.type
        self._is_bf16 = is_bf16
        objective: nn.Module = Objective(model, settings)
        if workers.size > 1:
            # Mean pooling leaves the gate without gradients, which must be known before.
            unused = settings.pooling == "mean"
            objective = DistributedDataParallel(objective, find_unused_parameters=unused)
        self._objective = objective

    def compute(
        self, step: int, numbers: Sequence[int], batch_of: Callable[[list[int]], Batch]
    ) -> dict[str, Tensor]:
        """Compute those of step `step` (from 0); give its figures, means over the whole batch.

        Args:
            numbers: the examples of the whole batch, the same in each process.
            batch_of: makes a batch of examples.

        Raises:
            TrainingError: out of memory, and smaller parts are not asked for.
        """
        while True:
            torch.manual_seed(seed_of(self._settings.seed, step, self._workers.rank))
            try:
                return self._in_parts(numbers, batch_of)
            except (RuntimeError, MemoryError) as error:
                if not is_out_of_memory(error):
                    raise
                self._shrink(step, len(numbers), error)
            # Not within `except`: until its end the error holds on to what filled the memory.
            self._objective.zero_grad(set_to_none=True)
            if self._device == "cuda":
                torch.cuda.empty_cache()

    def _shrink(self, step: int, sentences: int, error: Exception) -> None:
        """Divide into twice as many parts, or raise."""
        if self._settings.shrink_on_oom and self._workers.size == 1 and self.parts < sentences:
            self.parts *= 2
            print(f"  out of memory at step {step + 1}: {self.parts} parts a batch now", flush=True)
            return
        raise TrainingError(
            f"Step {step + 1}: out of memory, with {sentences} sentences in {self.parts} part(s). "
            f"What was saved is kept. Set batch_parts to {2 * self.parts}: the batch stays the "
            "same and takes half the memory, and the run goes on from what was saved. Or lower "
            "batch_size or max_input_tokens, which trains from the start. With shrink_on_oom, a "
            "process that trains alone raises batch_parts by itself."
        ) from error

    def _in_parts(
        self, numbers: Sequence[int], batch_of: Callable[[list[int]], Batch]
    ) -> dict[str, Tensor]:
        share = self._workers.share(numbers)
        # Each process takes part in each step, also in one with fewer examples than processes.
        count = min(self.parts, len(share))
        pieces = [share[part::count] for part in range(count)] or [list(numbers[:1])]
        total: dict[str, Tensor] = {}
        for number, piece in enumerate(pieces, start=1):
            weight = len(piece) / len(numbers) if share else 0.0
            figures = self._add(batch_of(piece), weight, is_last=number == len(pieces))
            for name, value in figures.items():
                total[name] = total[name] + value * weight if name in total else value * weight
        return self._over_all(total)

    def _add(self, batch: Batch, weight: float, is_last: bool) -> dict[str, Tensor]:
        with self._unsynchronised(is_last), lost_workers():
            with torch.autocast(self._device, torch.bfloat16, enabled=self._is_bf16):
                loss, figures = self._objective(batch)
            # The processes' gradients are averaged, and their sum is wanted.
            (loss * (weight * self._workers.size)).backward()
        return figures

    def _unsynchronised(self, is_last: bool) -> Any:
        """Only the last part's gradients travel, with those of the parts before it."""
        if is_last or not isinstance(self._objective, DistributedDataParallel):
            return nullcontext()
        return self._objective.no_sync()

    def _over_all(self, figures: dict[str, Tensor]) -> dict[str, Tensor]:
        if self._workers.size == 1:
            return figures
        summed = self._workers.total(torch.stack([value.float() for value in figures.values()]))
        return dict(zip(figures, summed, strict=True))


@contextmanager
def told_out_of_memory() -> Iterator[None]:
    """Tell of too little memory where it is not for want of more parts.

    Raises:
        TrainingError: instead of it.
    """
    try:
        yield
    except (RuntimeError, MemoryError) as error:
        if not is_out_of_memory(error):
            raise
        reason = shorten(str(error), 200, placeholder=" ...")
        raise TrainingError(
            f"Out of memory for the weights, AdamW's state, which is twice their size, or an "
            f"evaluation, which batch_parts does not divide ({reason}). What was saved is kept. "
            "With more memory the same command goes on. Or take a smaller backbone, or lower "
            "max_input_tokens for the evaluation, which trains from the start."
        ) from error


def is_out_of_memory(error: BaseException) -> bool:
    """Whether there was too little memory, on the GPU or, as torch tells it, on CPU."""
    return isinstance(error, torch.OutOfMemoryError | MemoryError) or (
        isinstance(error, RuntimeError) and "can't allocate memory" in str(error)
    )
