"""A checkpoint that other versions of the packages made: loaded here, and held against there.

The image of a SageMaker job has its own torch and transformers, and a checkpoint in the bucket may
be older than this checkout's pins. transformers may load what it does not fully know and only warn,
so the loss on the validation split has to be what training said.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from model.data import Example
from pipeline_steps import fingerprint
from pipeline_steps.errors import TrainingFailedError
from pipeline_steps.model_artefacts import TrainingReport

LARGEST_DIFFERENCE = 0.005  # nats; rounding on another device moves the mean loss by far less


def are_those_of(made: TrainingReport) -> bool:
    """Whether other versions trained the checkpoint than those that are installed here."""
    return made.package_versions != fingerprint.versions()


def require_loads(folder: Path, made: TrainingReport, advice: str) -> tuple[Any, Any]:
    """Load the checkpoint in `folder` with what is installed here; gives model and tokenizer.

    Raises:
        TrainingFailedError: it does not load; `advice` says what to do.
    """
    from model.checkpoint import CheckpointError, load_saved  # noqa: PLC0415 - imports torch
    from model.tokenizer import TokenizerError, load_tokenizer  # noqa: PLC0415

    try:
        return load_saved(folder), load_tokenizer(str(folder))
    except (CheckpointError, TokenizerError) as error:
        raise _refused(made, f"does not load here: {error}", advice) from error


def require_same_model(
    folder: Path, made: TrainingReport, validation: Sequence[Example], advice: str
) -> None:
    """Load it, and compute its loss on the rows that training judged it by.

    Raises:
        TrainingFailedError: it does not load, or it is another model here.
    """
    from model.batching import encode  # noqa: PLC0415 - imports torch
    from model.evaluation import evaluate  # noqa: PLC0415

    model, tokenizer = require_loads(folder, made, advice)
    limit = made.inputs["training"]["max_input_tokens"]
    ids = encode(tokenizer, [row.sentence for row in validation], limit)
    _, loss = evaluate(model, ids, [row.label for row in validation])
    there = made.result["best_loss"]
    if not abs(loss - there) <= LARGEST_DIFFERENCE:
        problem = f"gives a validation loss of {loss:.4f} here, and {there:.4f} where it was made"
        raise _refused(made, problem, advice)
    print(f"  trained with {_told(made.package_versions)}; the same model here, loss {loss:.4f}")


def _refused(made: TrainingReport, problem: str, advice: str) -> TrainingFailedError:
    image = made.trained_in.get("image")
    return TrainingFailedError(
        f"The checkpoint {made.model_version} {problem}. It was trained with "
        f"{_told(made.package_versions)}{f' in {image}' if image else ''}; here are "
        f"{_told(fingerprint.versions())}. {advice}"
    )


def _told(versions: dict[str, str]) -> str:
    return ", ".join(f"{name} {version}" for name, version in versions.items())
