"""Train the model, or reuse the checkpoint that the same inputs have already made.

    python -m pipeline_steps.train --profile sst2 --epochs 2

Reads `data.json`, writes `checkpoint/`. A killed run goes on from its last saved state.
"""

import dataclasses
import shutil
import sys
from pathlib import Path
from typing import Any

from model.data import Splits
from pipeline_steps import fingerprint, step
from pipeline_steps.artefacts import TrainingReport
from pipeline_steps.aws import Clients
from pipeline_steps.checked_data import read_checked_data
from pipeline_steps.console import ProgressReporter
from pipeline_steps.errors import ConfigurationError, TrainingFailedError
from pipeline_steps.files import file_hashes, write_folder_atomically
from pipeline_steps.settings import Settings
from pipeline_steps.step import Outcome

CHECKPOINT = "checkpoint"
UNFINISHED = "training"
TRAIN_TOKENIZER = "train"


def run(settings: Settings, clients: Clients) -> Outcome:
    """Make `checkpoint/` from the checked data, or find that it is already made.

    Raises:
        ConfigurationError: the backbone or the tokenizer cannot be loaded.
        DataCheckError: the data is not what `check_data` saw.
        TrainingFailedError: training did not give a model.
    """
    # torch takes seconds to import, and only this step needs it.
    from model.backbone import BackboneError, backbone_id  # noqa: PLC0415
    from model.tokenizer import TokenizerError  # noqa: PLC0415

    splits = read_checked_data(settings)
    try:
        inputs = fingerprint.training_inputs(
            settings,
            splits.hash(),
            backbone_id(settings.model.backbone),
            _tokenizer_id(settings),
        )
        checkpoint = settings.work_dir / CHECKPOINT
        made = TrainingReport.find(checkpoint)
        key = fingerprint.fingerprint_of(inputs)
        if made and made.fingerprint == key and _is_intact(checkpoint, made):
            accuracy = made.result["best_accuracy"]
            return Outcome("reused", f"model {made.model_version}, accuracy {accuracy:.3f}")
        return _train(settings, splits, inputs)
    except (BackboneError, TokenizerError) as error:
        raise ConfigurationError(str(error)) from error


def _is_intact(checkpoint: Path, made: TrainingReport) -> bool:
    hashes = file_hashes(checkpoint)
    damaged = [name for name, digest in made.files.items() if hashes.get(name) != digest]
    if damaged:
        print(f"  {checkpoint} is damaged ({', '.join(damaged)}): training it again")
    return not damaged


def _tokenizer_id(settings: Settings) -> str:
    from model.tokenizer import load_tokenizer, tokenizer_id  # noqa: PLC0415 - imports torch

    if settings.model.tokenizer == TRAIN_TOKENIZER:
        # The data and model/tokenizer.py, both in the fingerprint, determine the rest.
        return f"unigram:{settings.model.vocab_size}"
    return tokenizer_id(load_tokenizer(settings.model.tokenizer or settings.model.backbone))


def _train(settings: Settings, splits: Splits, inputs: dict[str, Any]) -> Outcome:
    from model.backbone import load_model  # noqa: PLC0415 - imports torch
    from model.checkpoint import CheckpointError  # noqa: PLC0415
    from model.tokenizer import load_tokenizer, train_tokenizer  # noqa: PLC0415
    from model.training import TrainingError, TrainingInterrupted, train  # noqa: PLC0415

    if settings.model.tokenizer == TRAIN_TOKENIZER:
        texts = [example.sentence for example in splits.train]
        tokenizer = train_tokenizer(texts, settings.model.vocab_size)
    else:
        tokenizer = load_tokenizer(settings.model.tokenizer or settings.model.backbone)
    key = fingerprint.fingerprint_of(inputs)
    model = load_model(
        settings.model.backbone,
        vocab_size=len(tokenizer),
        pooling=settings.training.pooling,
        dropout=settings.training.dropout,
        max_input_tokens=settings.training.max_input_tokens,
        seed=settings.training.seed,
    )
    model.config.model_version = fingerprint.model_version_of(key)
    unfinished = settings.work_dir / UNFINISHED
    with ProgressReporter("training") as reporter:
        try:
            result = train(
                model,
                tokenizer,
                train_set=splits.train,
                validation_set=splits.validation,
                settings=settings.training,
                work_dir=unfinished,
                progress=lambda report: reporter.update(
                    report.step,
                    report.total_steps,
                    f"loss {report.loss:.3f}, {report.examples_per_second:,.0f} sentences/s",
                ),
                fingerprint=key,
            )
        except TrainingInterrupted as error:
            raise KeyboardInterrupt from error
        except (TrainingError, CheckpointError) as error:
            raise TrainingFailedError(str(error)) from error
    _keep(settings, unfinished / "best", inputs, dataclasses.asdict(result))
    shutil.rmtree(unfinished)
    return Outcome(
        "done",
        f"model {model.config.model_version}, accuracy {result.best_accuracy:.3f}, "
        f"{result.examples_per_second:,.0f} sentences/s",
    )


def _keep(settings: Settings, best: Path, inputs: dict[str, Any], result: dict[str, Any]) -> None:
    def write(folder: Path) -> None:
        shutil.copytree(best, folder, dirs_exist_ok=True)
        key = fingerprint.fingerprint_of(inputs)
        TrainingReport(
            model_version=fingerprint.model_version_of(key),
            fingerprint=key,
            inputs=inputs,
            result=result,
            git=fingerprint.git_state(),
            package_versions=fingerprint.package_versions(),
            files=file_hashes(folder),
        ).save(folder)

    write_folder_atomically(settings.work_dir / CHECKPOINT, write)


if __name__ == "__main__":
    sys.exit(step.main(run, __doc__))
