"""A candidate that answers what it is told to, behind the real server: no weights, no torch."""

import json
from collections.abc import Mapping
from pathlib import Path

from model.data import LABELS, Example, Splits
from pipeline_steps.files import file_hashes
from pipeline_steps.model_artefacts import DataReport, ExportReport
from pipeline_steps.settings import Settings
from pipeline_steps.tarball import write_tarball

# What is not in `answers.json` is POSITIVE.
INFERENCE = """
import json
from pathlib import Path

def model_fn(model_dir):
    version = json.loads(Path(model_dir, "config.json").read_bytes())["model_version"]
    return type("Model", (), {"version": version, "answers": json.loads(
        Path(model_dir, "answers.json").read_bytes())})

def input_fn(body, content_type):
    request = json.loads(body)
    inputs = request["inputs"]
    return inputs if isinstance(inputs, list) else [inputs]

def predict_fn(texts, model):
    predictions = [
        {"label": model.answers.get(text, "POSITIVE"), "score": 0.9, "tokens": 2,
         "unknown_tokens": 0, "explanation": []}
        for text in texts
    ]
    return {"predictions": predictions, "model_version": model.version}

def output_fn(prediction, accept):
    return json.dumps(prediction)
"""


def write(folder: Path, version: str, answers: Mapping[str, int]) -> None:
    """Leave in `folder` a model that labels each text as `answers` says."""
    (folder / "code").mkdir(parents=True, exist_ok=True)
    (folder / "code" / "inference.py").write_text(INFERENCE, encoding="utf-8")
    (folder / "config.json").write_text(json.dumps({"model_version": version}), encoding="utf-8")
    told = {text: LABELS[label] for text, label in answers.items()}
    (folder / "answers.json").write_text(json.dumps(told), encoding="utf-8")


def exported(settings: Settings, splits: Splits, version: str, answers: Mapping[str, int]) -> None:
    """Leave in the work folder what `check_data` and `export` would, for such a model."""
    write(settings.work_dir / "candidate", version, answers)
    DataReport("demo", splits.hash(), {}, []).save(settings.work_dir)
    files = file_hashes(settings.work_dir / "candidate")
    ExportReport(version, "pytorch", 1, files, {}).save(settings.work_dir)


def tarball(path: Path, version: str, answers: Mapping[str, int]) -> None:
    """Write `model.tar.gz` of such a model."""
    folder = path.with_suffix(".folder")
    write(folder, version, answers)
    write_tarball(folder, path)


def labels_of(rows: list[Example]) -> dict[str, int]:
    """The right answers."""
    return {row.sentence: row.label for row in rows}
