"""Training on this machine: in a shell, on a GPU runner, or inside a SageMaker training job.

Under torchrun its processes share the work (`model/workers.py`). The first one goes through the
step and writes what it makes; the others help it train, and do nothing else.
"""

import dataclasses
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from model import held_out
from model.report import TrainingProgress
from pipeline_steps import fingerprint
from pipeline_steps.checkpoint_store import CHECKPOINT
from pipeline_steps.console import ProgressReporter
from pipeline_steps.errors import ConfigurationError, TrainingFailedError
from pipeline_steps.files import copy_files, file_hashes, write_folder_atomically
from pipeline_steps.model_artefacts import TrainingReport
from pipeline_steps.settings import Settings
from pipeline_steps.training_plan import TRAIN_TOKENIZER, TrainingPlan

UNFINISHED = "training"


def train_here(settings: Settings, planned: TrainingPlan) -> TrainingReport:
    """Train what is planned into `checkpoint/`; a killed run goes on from its last saved state.

    Raises:
        ConfigurationError: the backbone or the tokenizer cannot be loaded.
        TrainingFailedError: training did not give a model.
    """
    with _workers() as workers, ProgressReporter("training") as reporter:
        workers.of_first(True)
        result = _train(settings, planned, workers, reporter)
    if result["cut_sentences"]:
        print(
            f"  {result['cut_sentences']:,} sentences were longer than max_input_tokens "
            f"({settings.training.max_input_tokens}) and were cut"
        )
    unfinished = settings.work_dir / UNFINISHED
    result |= _calibrate(settings, planned, unfinished / "best")
    made = _place(settings, unfinished / "best", planned, result)
    shutil.rmtree(unfinished)
    return made


def is_helper() -> bool:
    """Whether torchrun started this process to help its first one, which alone writes files."""
    return "TORCHELASTIC_RUN_ID" in os.environ and os.environ.get("RANK", "0") != "0"


def help_first(settings: Settings, planned: TrainingPlan) -> None:
    """Take this process's part in what the first one trains, if it has to train at all."""
    with _workers() as workers:
        if workers.of_first(False):
            _train(settings, planned, workers, None)


def dismiss_helpers() -> None:
    """Tell them that there is nothing to train."""
    if "TORCHELASTIC_RUN_ID" in os.environ:
        with _workers() as workers:
            workers.of_first(False)


@contextmanager
def _workers() -> Iterator[Any]:
    from model.workers import WorkerLostError, joined  # noqa: PLC0415 - imports torch

    try:
        with joined() as workers:
            yield workers
    except WorkerLostError as error:
        raise TrainingFailedError(f"{error} Run the same command again.") from error


def _train(
    settings: Settings, planned: TrainingPlan, workers: Any, reporter: ProgressReporter | None
) -> dict[str, Any]:
    """Train into the work folder; gives the result's fields."""
    from model.training import train  # noqa: PLC0415 - imports torch

    def show(report: TrainingProgress) -> None:
        if reporter:
            reporter.update(report.step, report.total_steps, _note(report))

    model, tokenizer = load_start(settings, planned)
    with training_errors():
        result = train(
            model,
            tokenizer,
            train_set=held_out.split(planned.splits.train)[0],
            validation_set=planned.splits.validation,
            settings=settings.training,
            work_dir=settings.work_dir / UNFINISHED,
            progress=show,
            fingerprint=planned.fingerprint,
            workers=workers,
        )
    return dataclasses.asdict(result)


@contextmanager
def training_errors() -> Iterator[None]:
    """Turn the errors of `train` into those that a step ends with.

    Raises:
        KeyboardInterrupt: it was stopped by a signal.
        TrainingFailedError: it cannot go on.
    """
    from model.checkpoint import CheckpointError  # noqa: PLC0415 - imports torch
    from model.report import TrainingError, TrainingInterrupted  # noqa: PLC0415

    try:
        yield
    except TrainingInterrupted as error:
        raise KeyboardInterrupt from error
    except (TrainingError, CheckpointError) as error:
        raise TrainingFailedError(str(error)) from error


def load_start(settings: Settings, planned: TrainingPlan) -> tuple[Any, Any]:
    """The model as it starts, and its tokenizer."""
    from model.backbone import BackboneError, load_model  # noqa: PLC0415 - imports torch
    from model.tokenizer import (  # noqa: PLC0415
        TokenizerError,
        load_tokenizer,
        require_vocabulary_of,
        train_tokenizer,
    )

    try:
        if settings.model.tokenizer == TRAIN_TOKENIZER:
            texts = [example.sentence for example in planned.splits.train]
            tokenizer = train_tokenizer(texts, settings.model.vocab_size)
        else:
            tokenizer = load_tokenizer(settings.model.tokenizer or settings.model.backbone)
        require_vocabulary_of(settings.model.backbone, tokenizer)
        model = load_model(
            settings.model.backbone,
            vocab_size=len(tokenizer),
            pooling=settings.training.pooling,
            gate_reads=settings.training.gate_reads,
            gate_threshold=settings.training.gate_threshold,
            dropout=settings.training.dropout,
            max_input_tokens=settings.training.max_input_tokens,
            seed=settings.training.seed,
        )
    except (BackboneError, TokenizerError) as error:
        raise ConfigurationError(str(error)) from error
    model.config.model_version = planned.model_version
    return model, tokenizer


def _calibrate(settings: Settings, planned: TrainingPlan, best: Path) -> dict[str, Any]:
    """Give the best model its temperature; gives the figures of it."""
    from model.calibration import calibrate  # noqa: PLC0415 - imports torch

    _, held = held_out.split(planned.splits.train)
    temperature = calibrate(best, held, settings.training.max_input_tokens)
    return {"temperature": temperature, "held_out_rows": len(held)}


def _place(
    settings: Settings, best: Path, planned: TrainingPlan, result: dict[str, Any]
) -> TrainingReport:
    """Put the best model and what made it in `checkpoint/`'s place."""

    def fill(folder: Path) -> None:
        copy_files(best, folder)
        TrainingReport(
            model_version=planned.model_version,
            fingerprint=planned.fingerprint,
            inputs=planned.inputs,
            result=result,
            git=fingerprint.git_state(),
            package_versions=fingerprint.versions(),
            files=file_hashes(folder),
        ).save(folder)

    checkpoint = settings.work_dir / CHECKPOINT
    with writing_errors(checkpoint):
        write_folder_atomically(checkpoint, fill)
    return TrainingReport.load(checkpoint)


@contextmanager
def writing_errors(folder: Path) -> Iterator[None]:
    """Tell of a trained model that found no place in `folder`.

    Raises:
        TrainingFailedError: the disk is full or the folder cannot be written.
    """
    try:
        yield
    except OSError as error:
        raise TrainingFailedError(
            f"The trained model cannot be written to {folder} ({error.strerror}). Free some space "
            "or check the permissions, then run the same command again."
        ) from error


def _note(report: TrainingProgress) -> str:
    note = f"loss {report.loss:.3f}, {report.examples_per_second:,.0f} sentences/s"
    if report.reward is None:
        return note
    kept = f"kept {report.kept_share:.0%}, entropy {report.entropy:.2f}"
    return f"{note}, reward {report.reward:.2f}, {kept}"
