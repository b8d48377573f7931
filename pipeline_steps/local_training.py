"""Training on this machine: in a shell, on a GPU runner, or inside a SageMaker training job."""

import dataclasses
import shutil
from pathlib import Path
from typing import Any

from model.report import TrainingProgress
from pipeline_steps import fingerprint
from pipeline_steps.checkpoint_store import CHECKPOINT
from pipeline_steps.console import ProgressReporter
from pipeline_steps.errors import ConfigurationError, TrainingFailedError
from pipeline_steps.files import file_hashes, write_folder_atomically
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
    from model.checkpoint import CheckpointError  # noqa: PLC0415 - imports torch
    from model.training import TrainingError, TrainingInterrupted, train  # noqa: PLC0415

    model, tokenizer = _load(settings, planned)
    unfinished = settings.work_dir / UNFINISHED
    with ProgressReporter("training") as reporter:
        try:
            result = train(
                model,
                tokenizer,
                train_set=planned.splits.train,
                validation_set=planned.splits.validation,
                settings=settings.training,
                work_dir=unfinished,
                progress=lambda report: reporter.update(
                    report.step,
                    report.total_steps,
                    _note(report),
                ),
                fingerprint=planned.fingerprint,
            )
        except TrainingInterrupted as error:
            raise KeyboardInterrupt from error
        except (TrainingError, CheckpointError) as error:
            raise TrainingFailedError(str(error)) from error
    if result.cut_sentences:
        print(
            f"  {result.cut_sentences:,} sentences were longer than max_input_tokens "
            f"({settings.training.max_input_tokens}) and were cut"
        )
    made = _place(settings, unfinished / "best", planned, dataclasses.asdict(result))
    shutil.rmtree(unfinished)
    return made


def _load(settings: Settings, planned: TrainingPlan) -> tuple[Any, Any]:
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
        require_vocabulary_of(Path(settings.model.backbone).expanduser(), tokenizer)
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


def _place(
    settings: Settings, best: Path, planned: TrainingPlan, result: dict[str, Any]
) -> TrainingReport:
    """Put the best model and what made it in `checkpoint/`'s place."""

    def fill(folder: Path) -> None:
        shutil.copytree(best, folder, dirs_exist_ok=True)
        TrainingReport(
            model_version=planned.model_version,
            fingerprint=planned.fingerprint,
            inputs=planned.inputs,
            result=result,
            git=fingerprint.git_state(),
            package_versions=fingerprint.package_versions(),
            files=file_hashes(folder),
        ).save(folder)

    checkpoint = settings.work_dir / CHECKPOINT
    write_folder_atomically(checkpoint, fill)
    return TrainingReport.load(checkpoint)


def _note(report: TrainingProgress) -> str:
    note = f"loss {report.loss:.3f}, {report.examples_per_second:,.0f} sentences/s"
    if report.reward is None:
        return note
    kept = f"kept {report.kept_share:.0%}, entropy {report.entropy:.2f}"
    return f"{note}, reward {report.reward:.2f}, {kept}"
