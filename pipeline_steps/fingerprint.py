"""What a model is known by: SHA-256 over everything that determines it."""

import dataclasses
import importlib.metadata
import platform
import subprocess
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from pipeline_steps.files import file_hash, hash_of
from pipeline_steps.settings import Settings

MODEL_SOURCES = Path(__file__).parents[1] / "model"
# These only make rows, and the rows are in the data hash; or they look at a model once it is made.
WITHOUT_EFFECT_SOURCES = {
    *("data.py", "demo_corpus.py", "demo_fragments.py"),
    *("behaviour.py", "faithfulness.py", "rationales.py", "slices.py"),
}
RECORDED_PACKAGES = ("torch", "transformers", "tokenizers", "safetensors", "datasets")
EXPORTING_PACKAGES = ("torch", "transformers", "onnx", "onnxscript", "onnxruntime")
VERSION_DIGITS = 12
# These begin where training has ended: they change what ships, and not which model it is.
EXPORT_SOURCES = {"onnx_export.py", "onnx_quantization.py", "onnx_session.py"}
# How often a resume file is written changes nothing in the model. In how many parts a batch is
# computed does what the number of processes does: who ran out of memory may go on with more.
WITHOUT_EFFECT = {"checkpoint_seconds", "batch_parts", "shrink_on_oom"}


def training_inputs(settings: Settings, data_hash: str, backbone_id: str, tokenizer_id: str) -> Any:
    """What determines a model, as JSON: data, code, settings, backbone, tokenizer."""
    return {
        "data_hash": data_hash,
        "model_sources": {
            path.name: file_hash(path)
            for path in sorted(MODEL_SOURCES.glob("*.py"))
            if path.name not in WITHOUT_EFFECT_SOURCES | EXPORT_SOURCES
        },
        "training": {
            name: value
            for name, value in dataclasses.asdict(settings.training).items()
            if name not in WITHOUT_EFFECT
        },
        "backbone": backbone_id,
        "tokenizer": tokenizer_id,
    }


def fingerprint_of(inputs: Any) -> str:
    """SHA-256 over `training_inputs`, in hex."""
    return hash_of(inputs)


def model_version_of(fingerprint: str) -> str:
    """The name of a model everywhere: the first digits of its fingerprint."""
    return fingerprint[:VERSION_DIGITS]


def export_inputs(settings: Settings, data_hash: str, weights: str) -> Any:
    """What determines an ONNX model, as JSON: the checkpoint's weights, settings, data, code."""
    return {
        "weights": weights,  # two trainings of one fingerprint may differ, on a GPU
        "settings": dataclasses.asdict(settings.export),
        "data_hash": data_hash,  # what a precision costs is measured on it
        "sources": {name: file_hash(MODEL_SOURCES / name) for name in sorted(EXPORT_SOURCES)},
        "packages": package_versions(EXPORTING_PACKAGES),
    }


def versions() -> dict[str, str]:
    """Of what decides, beside the fingerprint, what a checkpoint holds and whether it loads."""
    return {"python": platform.python_version(), **package_versions(RECORDED_PACKAGES)}


def package_versions(names: Iterable[str]) -> dict[str, str]:
    """The installed versions of packages."""
    return {name: importlib.metadata.version(name) for name in names}


def git_state() -> dict[str, Any]:
    """The commit checked out, and whether files differ from it; None outside a checkout."""
    commit, changes = (_git(*command) for command in (("rev-parse", "HEAD"), ("status", "-s")))
    return {"commit": commit or None, "dirty": None if changes is None else bool(changes)}


def _git(*arguments: str) -> str | None:
    command = ["git", "-C", str(MODEL_SOURCES.parent), *arguments]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=30)
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip()
