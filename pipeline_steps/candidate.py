"""What may be asked of a candidate beside its answers: is it whole, its settings, why it erred."""

import dataclasses
import json
from pathlib import Path
from typing import Any

from pipeline_steps import golden
from pipeline_steps.errors import TrainingFailedError
from pipeline_steps.evaluation_artefacts import Mistake, Token
from pipeline_steps.files import file_hashes
from pipeline_steps.model_artefacts import ExportReport
from pipeline_steps.serving_process import ServingProcess


def refuse_changed(folder: Path, exported: ExportReport) -> None:
    """Let pass what export wrote.

    Raises:
        TrainingFailedError: a file of the candidate in `folder` is another, or is missing.
    """
    if file_hashes(folder) != exported.files:
        raise TrainingFailedError(
            f"{folder} is not what export wrote. Run `python -m pipeline_steps.export` again."
        )


def config_of(folder: Path) -> dict[str, Any]:
    """The configuration of the model in `folder`."""
    config: dict[str, Any] = json.loads((folder / "config.json").read_bytes())
    return config


def temperature_of(folder: Path) -> float:
    """What serving divides the logits by; older models have none."""
    return float(config_of(folder).get("temperature", 1.0))


def explained(server: ServingProcess, mistakes: list[Mistake]) -> list[Mistake]:
    """The same mistakes, each with the gate of its tokens.

    Raises:
        ServingError: the server does not answer.
    """
    texts = [mistake.text for mistake in mistakes]
    return [
        dataclasses.replace(mistake, explanation=[Token(**token) for token in said["explanation"]])
        for mistake, said in zip(mistakes, golden.ask(server, texts, explain=True), strict=True)
    ]
