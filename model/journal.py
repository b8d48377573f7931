"""What a training run tells of itself: its figures as it goes, its evaluations, and its result."""

import math
import time
from dataclasses import asdict
from pathlib import Path

import torch
from torch import Tensor

from model.checkpoint import RunState
from model.figures import NotFiniteError, add_up, means_of, policy_figures
from model.optimization import peak_memory_bytes
from model.report import (
    DivergedError,
    Evaluation,
    Progress,
    TrainingProgress,
    TrainingResult,
)


class Journal:
    """Keeps the history in the run's state, which is what a resumed run goes on from."""

    def __init__(
        self,
        state: RunState,
        work_dir: Path,
        progress: Progress,
        epoch_steps: int,
        total_steps: int,
    ) -> None:
        self._state = state
        self._work_dir = work_dir
        self._progress = progress
        self._epoch_steps = epoch_steps
        self._total_steps = total_steps
        self._pending: list[dict[str, Tensor]] = []  # the steps' figures since the last look
        self.looked_at = time.monotonic()
        self._started_at = self.looked_at - state.seconds

    def note(self, figures: dict[str, Tensor]) -> None:
        """Take a step's figures, which are read at the next look."""
        self._pending.append(figures)

    def look(self) -> None:
        """Read the figures of the latest steps and report.

        Raises:
            DivergedError: one is not finite.
        """
        state = self._state
        try:
            add_up(state.sums, self._pending, state.step)
        except NotFiniteError as error:
            raise self._diverged(str(error)) from error
        self._pending.clear()
        self.looked_at = time.monotonic()
        state.seconds = self.looked_at - self._started_at
        if state.sums:
            self._progress(self._report(means_of(state.sums)))

    def evaluated(self, accuracy: float, loss: float, learning_rate: float) -> bool:
        """Enter an evaluation into the history; whether it is the best so far.

        Raises:
            DivergedError: the loss is not finite.
        """
        state = self._state
        if not math.isfinite(loss):
            told = f"Step {state.step}: the validation loss is {loss}, expected a finite number."
            raise self._diverged(told)
        means, state.sums = means_of(state.sums), {}
        state.seconds = time.monotonic() - self._started_at
        record = Evaluation(
            step=state.step,
            epoch=state.step / self._epoch_steps,
            train_loss=means["loss"],
            validation_loss=loss,
            validation_accuracy=accuracy,
            learning_rate=learning_rate,
            seconds=state.seconds,
            **policy_figures(means),
        )
        best = self._best()
        is_best = best is None or (accuracy, -loss) > (
            best.validation_accuracy,
            -best.validation_loss,
        )
        if is_best:
            state.best_step = state.step
        state.history.append(asdict(record))
        self._progress(self._report(means))
        return is_best

    def result(self, device: torch.device, resumed_from_step: int) -> TrainingResult:
        """Sum up a run that has ended; how it was computed is filled in by whoever did."""
        state, best = self._state, self._best()
        assert best is not None  # noqa: S101 - the last step is always evaluated
        return TrainingResult(
            best_accuracy=best.validation_accuracy,
            best_loss=best.validation_loss,
            best_step=best.step,
            history=tuple(Evaluation(**record) for record in state.history),
            steps=state.step,
            seconds=state.seconds,
            examples_per_second=state.examples / state.seconds,
            peak_memory_bytes=peak_memory_bytes(device),
            device=device.type,
            early_stopped=state.step < self._total_steps,
            resumed_from_step=resumed_from_step,
            batch_parts=state.parts,
        )

    def _diverged(self, told: str) -> DivergedError:
        return DivergedError(
            f"{told} The state before it is kept in {self._work_dir}, but the same settings would "
            "lead here again. Lower the learning rates, or set precision to fp32: that trains from "
            "the start, and what was kept is dropped."
        )

    def _report(self, means: dict[str, float]) -> TrainingProgress:
        state = self._state
        return TrainingProgress(
            step=state.step,
            total_steps=self._total_steps,
            epoch=state.step / self._epoch_steps,
            examples_per_second=state.examples / max(state.seconds, 1e-9),
            loss=means["loss"],
            last_evaluation=Evaluation(**state.history[-1]) if state.history else None,
            **policy_figures(means),
        )

    def _best(self) -> Evaluation | None:
        found = [item for item in self._state.history if item["step"] == self._state.best_step]
        return Evaluation(**found[0]) if found else None
