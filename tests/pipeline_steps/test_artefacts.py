"""The JSON files between steps: whole or absent, typed, and refused when they are not ours."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline_steps.errors import ConfigurationError
from pipeline_steps.evaluation_artefacts import Evaluation, GoldenAnswer
from pipeline_steps.model_artefacts import DataReport, Finding, SplitReport
from pipeline_steps.release_artefacts import RunReport, StepRecord

REPORT = DataReport(
    source="demo",
    data_hash="0" * 64,
    splits={"train": SplitReport(1, 1.0, 3.0, {"1-1": 0})},
    findings=[Finding("leakage", "warn", 1, "1 row leaks", ["'naïve 🎬'"])],
)


def test_what_is_saved_is_loaded(tmp_path: Path) -> None:
    REPORT.save(tmp_path)
    assert DataReport.load(tmp_path) == REPORT


@given(texts=st.lists(st.text(st.characters(exclude_categories=["Cs"])), max_size=4))
def test_any_text_survives_the_file(
    tmp_path_factory: pytest.TempPathFactory, texts: list[str]
) -> None:
    folder = tmp_path_factory.mktemp("artefact")
    report = RunReport("demo", None, [StepRecord(text, "done", 0.5, text) for text in texts])
    report.save(folder)
    assert RunReport.load(folder) == report


def test_missing_file_names_the_step(tmp_path: Path) -> None:
    with pytest.raises(
        ConfigurationError, match=r"data\.json is missing.*pipeline_steps\.check_data"
    ):
        DataReport.load(tmp_path)
    assert DataReport.find(tmp_path) is None


@pytest.mark.parametrize("damage", ["cut", "other key", "missing key", "other type", "list"])
def test_damaged_file_is_refused(tmp_path: Path, damage: str) -> None:
    REPORT.save(tmp_path)
    path = tmp_path / DataReport.FILE
    payload = json.loads(path.read_text(encoding="utf-8"))
    texts = {
        "cut": path.read_text(encoding="utf-8")[:-9],
        "other key": json.dumps(payload | {"surprise": 1}),
        "missing key": json.dumps({k: v for k, v in payload.items() if k != "source"}),
        "other type": json.dumps(payload | {"source": 3}),
        "list": "[]",
    }
    path.write_text(texts[damage], encoding="utf-8")
    with pytest.raises(ConfigurationError, match=r"data\.json is not readable"):
        DataReport.load(tmp_path)


def test_metrics_come_from_the_evaluation() -> None:
    evaluation = Evaluation(
        model_version="v", candidate_hash="c", data_hash="d", rows=4, accuracy=0.75,
        accuracy_interval=[0.3, 0.95], f1=0.8, per_class={}, confusion_matrix={},
        golden=[GoldenAnswer("fine", "POSITIVE", 0.9)],
    )  # fmt: skip
    assert evaluation.metrics == {
        "accuracy": 0.75, "accuracy_low": 0.3, "accuracy_high": 0.95, "f1": 0.8, "rows": 4.0,
    }  # fmt: skip
