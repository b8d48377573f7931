"""Files of a training run, each written whole or not at all.

A file or folder is written under a temporary name and then renamed, which POSIX does atomically:
whoever reads `resume.pt` or a model folder, after a kill at any point, finds the old one or the
new one, never half of one. Nothing is unpickled but tensors and plain values (`weights_only`).
"""

import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from torch import Tensor
from transformers import PreTrainedModel, PreTrainedTokenizerFast
from transformers.utils import logging

from model.modeling import T5ForSentimentClassification, T5SentimentConfig

RESUME_FILE = "resume.pt"
FORMAT = 3
BEST = "best"
MODEL_FILES = ("model.safetensors", "config.json", "tokenizer.json")


# A full disk is an OSError here, a RuntimeError in torch.save and safetensors' own error there.
WRITE_ERRORS = (OSError, RuntimeError, SafetensorError)


class CheckpointError(RuntimeError):
    """A file of the run cannot be read or written; the message names it and says what to do."""


@dataclass
class RunState:
    """All that a training run needs to go on as if it had never stopped.

    Attributes:
        fingerprint: what the run was made from; another one must not be resumed.
        step: optimizer steps done; it also gives the place in the sampler and in the schedule.
        model: weights by name; empty once the run is finished.
        optimizer: the optimizer's `state_dict`; empty once the run is finished.
        parts: into how many parts a batch is divided to be computed.
        seconds: training time so far, in seconds, over all runs that led here.
        examples: training examples seen so far.
        sums: of the steps' figures since the last evaluation, by name; "steps" counts them.
        history: one record an evaluation.
        best_step: step of the best evaluation so far, 0 before the first.
        finished: whether training has ended and the best model is in place.
    """

    fingerprint: str
    step: int = 0
    model: dict[str, Tensor] = field(default_factory=dict)
    optimizer: dict[str, Any] = field(default_factory=dict)
    parts: int = 1
    seconds: float = 0.0
    examples: int = 0
    sums: dict[str, float] = field(default_factory=dict)
    history: list[dict[str, Any]] = field(default_factory=list)
    best_step: int = 0
    finished: bool = False


def save_state(state: RunState, work_dir: Path) -> None:
    """Replace `work_dir/resume.pt` by `state`, atomically.

    Raises:
        CheckpointError: the disk is full or the folder cannot be written; the old file is kept.
    """
    temporary = work_dir / f"{RESUME_FILE}.tmp"
    # Not asdict(): it would copy every tensor.
    content = {item.name: getattr(state, item.name) for item in fields(state)}
    try:
        torch.save({"format": FORMAT, **content}, temporary)
        temporary.replace(work_dir / RESUME_FILE)
    except WRITE_ERRORS as error:
        raise CheckpointError(_unwritten(work_dir, error)) from error
    finally:
        temporary.unlink(missing_ok=True)


def load_state(work_dir: Path, fingerprint: str) -> RunState | None:
    """Read `work_dir/resume.pt`; None if there is none that can be gone on from.

    That is, none of this fingerprint, or one whose best model was taken away.

    Raises:
        CheckpointError: the file is truncated, corrupt, or not a resume file.
    """
    path = work_dir / RESUME_FILE
    if not path.exists():
        return None
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:
        raise CheckpointError(_broken(path, f"{type(error).__name__}: {error}")) from error
    expected = {item.name for item in fields(RunState)}
    if not isinstance(content, dict) or content.pop("format", None) != FORMAT:
        raise CheckpointError(_broken(path, f"expected format {FORMAT} of a resume file"))
    if set(content) != expected:
        raise CheckpointError(_broken(path, f"expected the fields {sorted(expected)}"))
    state = RunState(**content)
    # A spot instance's folder comes back from S3, which knows nothing of whole folders.
    has_best = any(
        all((folder / name).is_file() for name in MODEL_FILES)
        for folder in (best_folder(state.best_step, work_dir), work_dir / BEST)
    )
    return state if state.fingerprint == fingerprint and (has_best or not state.best_step) else None


def _unwritten(path: Path, error: Exception) -> str:
    first_line = str(error).split("\n", maxsplit=1)[0][:200]
    return (
        f"{path} cannot be written ({first_line}). Free some space or check the permissions, then "
        "run the same command again: it goes on from the last state that was saved."
    )


def _broken(path: Path, problem: str) -> str:
    size = path.stat().st_size
    first_line = problem.split("\n", maxsplit=1)[0][:200]
    return (
        f"{path} ({size:,} bytes) cannot be resumed from: it is truncated or corrupt "
        f"({first_line}). Delete it to train from the start."
    )


def save_model(model: PreTrainedModel, tokenizer: PreTrainedTokenizerFast, folder: Path) -> None:
    """Write model.safetensors, config.json and tokenizer.json to `folder`, replacing it.

    Raises:
        CheckpointError: the disk is full or the folder cannot be written.
    """
    temporary = folder.with_name(f"{folder.name}.tmp")
    shutil.rmtree(temporary, ignore_errors=True)
    try:
        with quiet_transformers():
            model.save_pretrained(temporary)
            tokenizer.save_pretrained(temporary)
        if folder.exists():
            shutil.rmtree(folder)
        temporary.replace(folder)
    except WRITE_ERRORS as error:
        raise CheckpointError(_unwritten(folder, error)) from error
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def load_saved(folder: Path, **how: Any) -> T5ForSentimentClassification:
    """The model that `save_model` wrote, in evaluation mode; each of its weights has a place.

    Args:
        folder: of `model.safetensors` and `config.json`.
        how: more for `from_pretrained`.

    Raises:
        CheckpointError: weights are missing or left over, or the configuration is not known.
    """
    try:
        with quiet_transformers():
            model, info = T5ForSentimentClassification.from_pretrained(
                folder,
                local_files_only=True,
                use_safetensors=True,
                output_loading_info=True,
                **how,
            )
        model_type = json.loads((folder / "config.json").read_bytes()).get("model_type")
    except Exception as error:  # each library has its own for what it does not know
        raise CheckpointError(f"{type(error).__name__}: {str(error).strip()[:300]}") from error
    # transformers goes on with both of these, and only warns.
    if info["unexpected_keys"]:
        raise CheckpointError(f"there is no place for its weight {min(info['unexpected_keys'])!r}")
    if model_type != T5SentimentConfig.model_type:
        raise CheckpointError(
            f"its model_type is {model_type!r}, expected {T5SentimentConfig.model_type!r}"
        )
    loaded: T5ForSentimentClassification = model.eval()
    return loaded


def best_folder(step: int, work_dir: Path) -> Path:
    """Where the best model stays during training, named by the step that the resume file names.

    So a kill between writing the model and writing the resume file leaves each to its own.
    """
    return work_dir / f"{BEST}-{step:08d}"


def drop_models_but(step: int, work_dir: Path) -> None:
    """Remove the models of other steps than `step`."""
    for folder in work_dir.glob(f"{BEST}-*"):
        if folder != best_folder(step, work_dir):
            shutil.rmtree(folder)


def place_best(step: int, work_dir: Path) -> None:
    """Make the model of `step` the `best` one; done already, this changes nothing."""
    source = best_folder(step, work_dir)
    if source.exists():
        shutil.rmtree(work_dir / BEST, ignore_errors=True)
        source.replace(work_dir / BEST)


@contextmanager
def quiet_transformers() -> Iterator[None]:
    """Keep transformers' bars and load reports off the terminal; ours tell what matters."""
    verbosity, had_bars = logging.get_verbosity(), logging.is_progress_bar_enabled()
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        logging.set_verbosity(verbosity)
        if had_bars:
            logging.enable_progress_bar()
