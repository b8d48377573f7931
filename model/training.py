"""Fine-tuning, with cross-entropy or REINFORCE: one loop that stops, resumes and repeats exactly.

AdamW (Loshchilov and Hutter 2019, https://arxiv.org/abs/1711.05101) with a learning rate each for
backbone, gate and head, a linear warm-up and a linear decay to 0, and gradients clipped by norm.
Deviation: no decay on embeddings, as rows that a batch does not use would shrink for nothing.

What happens depends on settings, seed and step alone, and all state is in the resume file: a run
that was killed and started again ends with the same weights, bit for bit, on CPU.
"""

import math
import signal
import time
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import torch
from torch import Tensor
from torch.nn.utils import clip_grad_norm_
from transformers import PreTrainedTokenizerFast

from model.batching import LengthBucketedSampler, encode, pad_batch
from model.checkpoint import (
    RunState,
    best_folder,
    drop_models_but,
    load_state,
    place_best,
    save_model,
    save_state,
)
from model.data import Example
from model.evaluation import evaluate
from model.figures import NotFiniteError, add_up, means_of, policy_figures
from model.interruption import caught_signals
from model.modeling import T5ForSentimentClassification
from model.optimization import (
    cpu_threads,
    parameter_groups,
    peak_memory_bytes,
    pick_device,
    pick_precision,
    plan_steps,
    rate_share,
)
from model.reinforce import reinforce_loss
from model.report import (
    Evaluation,
    Progress,
    TrainingError,
    TrainingInterrupted,
    TrainingProgress,
    TrainingResult,
)
from model.settings import TrainingSettings

REPORT_SECONDS = 0.5  # between two looks at the losses; on a GPU each look waits for it


def train(
    model: T5ForSentimentClassification,
    tokenizer: PreTrainedTokenizerFast,
    *,
    train_set: Sequence[Example],
    validation_set: Sequence[Example],
    settings: TrainingSettings,
    work_dir: Path,
    progress: Progress,
    fingerprint: str,
) -> TrainingResult:
    """Train `model` in place and leave the best on validation in `work_dir/best`.

    A resume file of the same fingerprint in `work_dir` is gone on from (or, if that run had
    finished, its result is given at once); one of another fingerprint is written over.

    Args:
        fingerprint: of all that decides the result: data, settings, backbone, tokenizer, code.

    Raises:
        ValueError: one of the sets is empty.
        TrainingError: a loss or gradient is not finite; the last good resume file is kept.
        TrainingInterrupted: SIGINT or SIGTERM.
        CheckpointError: the resume file is truncated or corrupt.
    """
    for name, examples in (("train", train_set), ("validation", validation_set)):
        if not examples:
            raise ValueError(f"The {name} set is empty; at least one example is needed.")
    work_dir.mkdir(parents=True, exist_ok=True)
    with torch.random.fork_rng(), cpu_threads(settings.threads), caught_signals() as signals:
        run = _Run(model, tokenizer, settings, work_dir, progress)
        run.read(train_set, validation_set)
        resumed_from_step = run.start(fingerprint)
        run.loop(signals)
        return run.finish(resumed_from_step)


class _Run:
    """One training run; `state` is what is saved, the rest is made again from the arguments."""

    state: RunState
    sampler: LengthBucketedSampler

    def __init__(
        self,
        model: T5ForSentimentClassification,
        tokenizer: PreTrainedTokenizerFast,
        settings: TrainingSettings,
        work_dir: Path,
        progress: Progress,
    ) -> None:
        self.device = pick_device()
        self.precision = pick_precision(settings.precision, self.device)
        self.model = model.train().to(device=self.device)
        self.tokenizer = tokenizer
        self.settings = settings
        self.work_dir = work_dir
        self.progress = progress
        self.optimizer = torch.optim.AdamW(parameter_groups(model, settings), fused=True)
        self.pending: list[dict[str, Tensor]] = []  # the steps' figures since the last look
        self.epoch_batches: tuple[int, list[list[int]]] = (-1, [])

    def read(self, train_set: Sequence[Example], validation_set: Sequence[Example]) -> None:
        """Turn sentences into ids and lay out the run's steps."""
        settings = self.settings
        self.sequences, self.labels = self._encode(train_set)
        self.validation = self._encode(validation_set)
        lengths = [len(sequence) for sequence in self.sequences]
        self.sampler = LengthBucketedSampler(lengths, settings.batch_size, settings.seed)
        self.total_steps, self.evaluation_steps = plan_steps(len(self.sampler), settings)

    def _encode(self, examples: Sequence[Example]) -> tuple[list[list[int]], list[int]]:
        sentences = [example.sentence for example in examples]
        limit = self.settings.max_input_tokens
        return encode(self.tokenizer, sentences, limit), [example.label for example in examples]

    def start(self, fingerprint: str) -> int:
        """Begin anew or take up a saved state; give the step it starts from."""
        torch.manual_seed(self.settings.seed)
        saved = load_state(self.work_dir, fingerprint)
        self.state = saved or RunState(fingerprint)
        if saved and not saved.finished:
            self.model.load_state_dict(saved.model)
            self.optimizer.load_state_dict(saved.optimizer)
            torch.set_rng_state(saved.rng["cpu"])
            if self.device.type == "cuda":
                torch.cuda.set_rng_state(saved.rng["cuda"])
        drop_models_but(self.state.best_step, self.work_dir)
        self.started_at = time.monotonic() - self.state.seconds
        self.saved_at = self.reported_at = time.monotonic()
        return self.state.step

    def loop(self, signals: list[int]) -> None:
        """Train until the last step, until patience is spent, or until a signal comes."""
        while not (self.state.finished or self._is_over()):
            self._step()
            now = time.monotonic()
            if self.state.step in self.evaluation_steps:
                self._evaluate()
                self._save()
            elif signals or now - self.saved_at >= self.settings.checkpoint_seconds:
                self._look()
                self._save()
            elif now - self.reported_at >= REPORT_SECONDS:
                self._look()
            if signals:
                raise TrainingInterrupted(
                    f"Stopped by {signal.Signals(signals[0]).name} after step {self.state.step} of "
                    f"{self.total_steps}. All is saved in {self.work_dir}; run the same command "
                    "again to go on."
                )

    def _is_over(self) -> bool:
        since_best = sum(record["step"] > self.state.best_step for record in self.state.history)
        return self.state.step >= self.total_steps or 0 < self.settings.patience <= since_best

    def _step(self) -> None:
        state, settings = self.state, self.settings
        epoch, position = divmod(state.step, len(self.sampler))
        if self.epoch_batches[0] != epoch:
            self.epoch_batches = (epoch, self.sampler.batches(epoch))
        numbers = self.epoch_batches[1][position]
        sequences = [self.sequences[number] for number in numbers]
        batch = pad_batch(sequences, [self.labels[number] for number in numbers], self.device)
        share = rate_share(state.step, self.total_steps, settings.warmup_share)
        for group in self.optimizer.param_groups:
            group["lr"] = group["peak"] * share
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self.precision == "bf16"):
            loss, figures = self._loss(batch)
        loss.backward()
        figures["gradient norm"] = clip_grad_norm_(self.model.parameters(), settings.max_grad_norm)
        self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)
        self.pending.append(figures)
        state.step += 1
        state.examples += len(numbers)

    def _loss(self, batch: dict[str, Tensor]) -> tuple[Tensor, dict[str, Tensor]]:
        """What to minimise, and what to tell of it."""
        if self.settings.reinforce:
            return reinforce_loss(self.model, batch, self.settings)
        loss = self.model(**batch).loss
        return loss, {"loss": loss.detach()}

    def _look(self) -> None:
        """Read the figures of the latest steps, stop if one is not finite, and report."""
        state = self.state
        try:
            add_up(state.sums, self.pending, state.step)
        except NotFiniteError as error:
            raise TrainingError(
                f"{error} The state before it is kept in {self.work_dir}. Lower the learning "
                "rates, or set precision to fp32."
            ) from error
        self.pending.clear()
        self.reported_at = time.monotonic()
        state.seconds = self.reported_at - self.started_at
        if state.sums:
            self.progress(self._report(means_of(state.sums)))

    def _report(self, means: dict[str, float]) -> TrainingProgress:
        state = self.state
        return TrainingProgress(
            step=state.step,
            total_steps=self.total_steps,
            epoch=state.step / len(self.sampler),
            examples_per_second=state.examples / max(state.seconds, 1e-9),
            loss=means["loss"],
            last_evaluation=Evaluation(**state.history[-1]) if state.history else None,
            **policy_figures(means),
        )

    def _evaluate(self) -> None:
        """Look at the validation set; keep the model if it is the best so far."""
        self._look()
        state = self.state
        accuracy, loss = evaluate(self.model, *self.validation)
        if not math.isfinite(loss):
            raise TrainingError(
                f"Step {state.step}: the validation loss is {loss}, expected a finite number. "
                f"The state before it is kept in {self.work_dir}. Lower the learning rates."
            )
        means, state.sums = means_of(state.sums), {}
        state.seconds = time.monotonic() - self.started_at
        record = Evaluation(
            step=state.step,
            epoch=state.step / len(self.sampler),
            train_loss=means["loss"],
            validation_loss=loss,
            validation_accuracy=accuracy,
            learning_rate=self.optimizer.param_groups[0]["lr"],
            seconds=state.seconds,
            **policy_figures(means),
        )
        best = self._best()
        if best is None or (accuracy, -loss) > (best.validation_accuracy, -best.validation_loss):
            state.best_step = state.step
            save_model(self.model, self.tokenizer, best_folder(state.best_step, self.work_dir))
        state.history.append(asdict(record))
        self.progress(self._report(means))

    def _best(self) -> Evaluation | None:
        found = [item for item in self.state.history if item["step"] == self.state.best_step]
        return Evaluation(**found[0]) if found else None

    def _save(self) -> None:
        state = self.state
        state.model = self.model.state_dict()
        state.optimizer = self.optimizer.state_dict()
        state.rng = {"cpu": torch.get_rng_state()}
        if self.device.type == "cuda":
            state.rng["cuda"] = torch.cuda.get_rng_state()
        save_state(state, self.work_dir)
        drop_models_but(self.state.best_step, self.work_dir)
        self.saved_at = time.monotonic()

    def finish(self, resumed_from_step: int) -> TrainingResult:
        """Put the best model in its place and sum up."""
        state = self.state
        best = self._best()
        assert best is not None  # noqa: S101 - the last step is always evaluated
        place_best(state.best_step, self.work_dir)
        if not state.finished:
            state.finished = True
            state.model, state.optimizer, state.rng = {}, {}, {}
            save_state(state, self.work_dir)
        return TrainingResult(
            best_accuracy=best.validation_accuracy,
            best_loss=best.validation_loss,
            best_step=best.step,
            history=tuple(Evaluation(**record) for record in state.history),
            steps=state.step,
            seconds=state.seconds,
            examples_per_second=state.examples / state.seconds,
            peak_memory_bytes=peak_memory_bytes(self.device),
            device=self.device.type,
            precision=self.precision,
            early_stopped=state.step < self.total_steps,
            resumed_from_step=resumed_from_step,
        )
