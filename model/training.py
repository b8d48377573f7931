"""Fine-tuning, with cross-entropy or REINFORCE: one loop that stops, resumes and repeats exactly.

AdamW (Loshchilov and Hutter 2019, https://arxiv.org/abs/1711.05101) with a learning rate each for
backbone, gate and head, a linear warm-up and a linear decay to 0, and gradients clipped by norm.
Deviation: no decay on embeddings, as rows that a batch does not use would shrink for nothing.

What happens depends on settings, seed and step alone, and all state is in the resume file: a run
that was killed and started again ends with the same weights, bit for bit, on CPU. Where torchrun
has started several processes, they share each batch (`model/workers.py`).
"""

import signal
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor
from torch.nn.utils import clip_grad_norm_
from transformers import PreTrainedTokenizerFast

from model.batching import LengthBucketedSampler, pad_batch
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
from model.dropout import use_bit_dropout
from model.evaluation import evaluate
from model.gradients import Gradients, told_out_of_memory
from model.interruption import caught_signals
from model.journal import Journal
from model.modeling import T5ForSentimentClassification
from model.optimization import (
    cpu_threads,
    parameter_groups,
    pick_device,
    pick_precision,
    plan_steps,
    rate_share,
)
from model.report import Progress, TrainingError, TrainingInterrupted, TrainingResult
from model.settings import TrainingSettings
from model.training_data import encoded
from model.workers import WorkerLostError, Workers

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
    workers: Workers | None = None,
) -> TrainingResult:
    """Train `model` in place and leave the best on validation in `work_dir/best`.

    A resume file of the same fingerprint in `work_dir` is gone on from (or, if that run had
    finished, its result is given at once); one of another fingerprint is written over.

    Args:
        fingerprint: of all that decides the result: data, settings, backbone, tokenizer, code.
        workers: which process of how many this is, where they train together; each is to call
            this with the same arguments, and the first one writes.

    Raises:
        TrainingError: a set lacks a class, memory ran out, a worker was lost, or a loss or gradient
            is not finite; the last good resume file is kept.
        TrainingInterrupted: SIGINT or SIGTERM.
        CheckpointError: the resume file is truncated or corrupt, or cannot be written.
    """
    with (
        torch.random.fork_rng(),
        cpu_threads(settings.threads),
        caught_signals() as signals,
        told_out_of_memory(),
    ):
        run = _Run(model, tokenizer, settings, work_dir, workers or Workers())
        run.read(train_set, validation_set)
        resumed_from_step = run.start(fingerprint, progress)
        try:
            run.loop(signals)
        except WorkerLostError as error:
            message = (
                f"Step {run.state.step + 1}: {error} What was saved is in {work_dir}; run the same "
                "command again to go on from there."
            )
            # At once: torchrun ends this process too, and may do so before the error is told.
            print(f"  {message}", flush=True)
            raise TrainingError(message) from error
        return run.finish(resumed_from_step)


class _Run:
    """One training run; `state` is what is saved, the rest is made again from the arguments."""

    state: RunState
    journal: Journal

    def __init__(
        self,
        model: T5ForSentimentClassification,
        tokenizer: PreTrainedTokenizerFast,
        settings: TrainingSettings,
        work_dir: Path,
        workers: Workers,
    ) -> None:
        self.device = pick_device()
        self.precision = pick_precision(settings.precision, self.device)
        self.model = model.train().to(device=self.device)
        self.tokenizer = tokenizer
        self.settings = settings
        self.work_dir = work_dir
        self.workers = workers
        if self.device.type == "cpu":
            use_bit_dropout(model)
            model.set_attn_implementation("eager")  # torch's own with dropout is 7 to 11 % slower
        self.optimizer = torch.optim.AdamW(parameter_groups(model, settings), fused=True)
        self.gradients = Gradients(model, settings, workers, self.precision == "bf16")
        self.stop_votes = torch.zeros(1, dtype=torch.int64)  # the signal some had, a step before
        self.epoch_batches: tuple[int, list[list[int]]] = (-1, [])

    def read(self, train_set: Sequence[Example], validation_set: Sequence[Example]) -> None:
        """Turn sentences into ids and lay out the run's steps."""
        settings, limit = self.settings, self.settings.max_input_tokens
        self.train_set = encoded("train", train_set, self.tokenizer, limit)
        self.validation_set = encoded("validation", validation_set, self.tokenizer, limit)
        lengths = [len(sequence) for sequence in self.train_set.sequences]
        self.sampler = LengthBucketedSampler(lengths, settings.batch_size, settings.seed)
        self.total_steps, self.evaluation_steps = plan_steps(len(self.sampler), settings)

    def start(self, fingerprint: str, progress: Progress) -> int:
        """Begin anew or take up a saved state; give the step it starts from."""
        saved = None
        if self.workers.is_first:
            self.work_dir.mkdir(parents=True, exist_ok=True)
            saved = load_state(self.work_dir, fingerprint)
        saved = self.workers.of_first(saved)
        self.state = saved or RunState(fingerprint)
        if saved and not saved.finished:
            self.model.load_state_dict(saved.model)
            self.optimizer.load_state_dict(saved.optimizer)
        if not self.state.finished:
            # What memory asked for before, it may ask for again; else the setting of now decides.
            least = self.state.parts if self.settings.shrink_on_oom else 1
            self.gradients.parts = self.state.parts = max(least, self.settings.batch_parts)
        if self.workers.is_first:
            drop_models_but(self.state.best_step, self.work_dir)
        steps = (len(self.sampler), self.total_steps)
        self.journal = Journal(self.state, self.work_dir, progress, *steps)
        self.saved_at = time.monotonic()
        return self.state.step

    def loop(self, signals: list[int]) -> None:
        """Train until the last step, until patience is spent, or until a signal comes."""
        while not (self.state.finished or self._is_over()):
            self._step()
            stops = self._stops(signals)
            now = time.monotonic()
            if self.state.step in self.evaluation_steps:
                self._evaluate()
                self._save()
            elif stops or now - self.saved_at >= self.settings.checkpoint_seconds:
                self.journal.look()
                self._save()
            elif now - self.journal.looked_at >= REPORT_SECONDS:
                self.journal.look()
            if stops:
                raise TrainingInterrupted(
                    f"Stopped by {signal.Signals(stops[0]).name} after step {self.state.step} of "
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
        share = rate_share(state.step, self.total_steps, settings.warmup_share)
        for group in self.optimizer.param_groups:
            group["lr"] = group["peak"] * share
        figures = self.gradients.compute(state.step, numbers, self._batch)
        figures["gradient norm"] = clip_grad_norm_(self.model.parameters(), settings.max_grad_norm)
        self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)
        self.journal.note(figures)
        state.parts = self.gradients.parts
        state.step += 1
        state.examples += len(numbers)

    def _batch(self, numbers: list[int]) -> dict[str, Tensor]:
        known = self.train_set
        sequences = [known.sequences[number] for number in numbers]
        return pad_batch(sequences, [known.labels[number] for number in numbers], self.device)

    def _stops(self, signals: list[int]) -> list[int]:
        """What stops the run after this step: alone any signal, with others one that all know of.

        These stop after the same step, as they are told the same. What they voted a step ago is
        read, so that a GPU is not waited for.
        """
        if self.workers.size == 1:
            return signals  # not a copy: one that comes during the evaluation counts as well
        votes = torch.tensor([max(signals, default=0)], device=self.device)
        before, self.stop_votes = self.stop_votes, self.workers.most(votes)
        return [number for number in before.tolist() if number]

    def _evaluate(self) -> None:
        """Look at the validation set; keep the model if it is the best so far."""
        self.journal.look()
        known = self.validation_set
        # Each process looks, and the first one's figures decide for all.
        accuracy, loss = self.workers.of_first(evaluate(self.model, known.sequences, known.labels))
        is_best = self.journal.evaluated(accuracy, loss, self.optimizer.param_groups[0]["lr"])
        if is_best and self.workers.is_first:
            save_model(self.model, self.tokenizer, best_folder(self.state.step, self.work_dir))

    def _save(self) -> None:
        self.saved_at = time.monotonic()
        if not self.workers.is_first:
            return
        state = self.state
        state.model = self.model.state_dict()
        state.optimizer = self.optimizer.state_dict()
        save_state(state, self.work_dir)
        drop_models_but(state.best_step, self.work_dir)

    def finish(self, resumed_from_step: int) -> TrainingResult:
        """Put the best model in its place and sum up."""
        state = self.state
        if self.workers.is_first:
            place_best(state.best_step, self.work_dir)
            if not state.finished:
                state.finished = True
                state.model, state.optimizer = {}, {}
                save_state(state, self.work_dir)
        return replace(
            self.journal.result(self.device, resumed_from_step),
            precision=self.precision,
            processes=self.workers.size,
            cut_sentences=self.train_set.cut + self.validation_set.cut,
        )
