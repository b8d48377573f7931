"""What a model is known by: SHA-256 over everything that determines it."""

import dataclasses
import importlib.metadata
from pathlib import Path
from typing import Any

from pipeline_steps.artefacts import file_hash, hash_of
from pipeline_steps.settings import Settings

MODEL_SOURCES = Path(__file__).parents[1] / "model"
# These only make rows, and the rows are in the data hash.
DATA_SOURCES = {"data.py", "demo_corpus.py", "demo_fragments.py"}
RECORDED_PACKAGES = ("torch", "transformers", "tokenizers", "safetensors", "datasets")
VERSION_DIGITS = 12


def training_inputs(settings: Settings, data_hash: str, backbone_id: str, tokenizer_id: str) -> Any:
    """What determines a model, as JSON: data, code, settings, backbone, tokenizer."""
    return {
        "data_hash": data_hash,
        "model_sources": {
            path.name: file_hash(path)
            for path in sorted(MODEL_SOURCES.glob("*.py"))
            if path.name not in DATA_SOURCES
        },
        "training": dataclasses.asdict(settings.training),
        "backbone": backbone_id,
        "tokenizer": tokenizer_id,
    }


def fingerprint_of(inputs: Any) -> str:
    """SHA-256 over `training_inputs`, in hex."""
    return hash_of(inputs)


def model_version_of(fingerprint: str) -> str:
    """The name of a model everywhere: the first digits of its fingerprint."""
    return fingerprint[:VERSION_DIGITS]


def package_versions() -> dict[str, str]:
    """The installed versions of what made the model."""
    return {name: importlib.metadata.version(name) for name in RECORDED_PACKAGES}
