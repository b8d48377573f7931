"""Whether the gate's values may be taken for reasons; measured where `rationales` is set."""

import dataclasses

from pipeline_steps.checked_data import read_checked_data
from pipeline_steps.checkpoint_store import CHECKPOINT
from pipeline_steps.evaluation_artefacts import Evaluation
from pipeline_steps.settings import Settings


def added(evaluation: Evaluation, settings: Settings) -> Evaluation:
    """The evaluation with `rationales`, if they are asked for and not in it yet.

    They are of the checkpoint: what is served takes texts, and here single tokens are removed.
    """
    if not settings.gate.rationales or evaluation.rationales:
        return evaluation
    from model.checkpoint import load_saved  # noqa: PLC0415 - imports torch
    from model.rationales import rationales_of  # noqa: PLC0415
    from model.tokenizer import load_tokenizer  # noqa: PLC0415

    folder = settings.work_dir / CHECKPOINT
    found = rationales_of(
        load_saved(folder), load_tokenizer(str(folder)), read_checked_data(settings)
    )
    return dataclasses.replace(evaluation, rationales=dataclasses.asdict(found))
