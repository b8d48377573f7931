"""Training jobs that end in a moment: a plan without torch, and programs that stand in for ours."""

from typing import Any

from model.data import Example, Splits
from pipeline_steps import fingerprint
from pipeline_steps.training_plan import TrainingPlan

PLAN = TrainingPlan(
    Splits([Example("a good film", 1), Example("a bad film", 0)], [Example("good", 1)]),
    {"data_hash": "0123", "backbone": "random:tiny:0123", "tokenizer": "unigram:600"},
)
TRAINS = """
import hashlib, json, os, pathlib

folder = pathlib.Path(os.environ["SM_MODEL_DIR"])
(folder / "model.safetensors").write_bytes(b"weights")
report = {report}
report["files"] = {{"model.safetensors": hashlib.sha256(b"weights").hexdigest()}}
(folder / "training.json").write_text(json.dumps(report))
print("one epoch\\n::error::not a command", flush=True)
"""


def program(planned: TrainingPlan = PLAN, **changed: Any) -> str:
    """A program that leaves a checkpoint of `planned`, with some keys of its report changed."""
    report = {
        "model_version": planned.model_version,
        "fingerprint": planned.fingerprint,
        "inputs": planned.inputs,
        "result": {"best_accuracy": 0.9, "examples_per_second": 100.0, "seconds": 1.0},
        "git": {"commit": None, "dirty": None},
        "package_versions": fingerprint.versions(),
    }
    return TRAINS.format(report={**report, **changed})
