"""`run.json`, as a scheduler has it written that ran the steps one by one."""

import dataclasses
import json
from pathlib import Path

import pytest

from pipeline_steps import run_report
from pipeline_steps.release_artefacts import RunReport, StepRecord

STEPS = [
    StepRecord("check_data", "done", 0.4),
    StepRecord("train", "reused", 12.0),
    StepRecord("evaluate", "failed", 3.0, "Below the bar."),
    StepRecord("deploy_endpoint", "skipped", 0, "", "production"),
]


def write(folder: Path, text: str) -> int:
    steps = folder / "steps.json"
    steps.write_text(text, encoding="utf-8")
    return run_report.main(["--build-dir", str(folder), "--steps", str(steps)])


def test_first_failure_is_the_error(tmp_path: Path) -> None:
    assert write(tmp_path, json.dumps([dataclasses.asdict(step) for step in STEPS])) == 0
    report = RunReport.load(tmp_path / "demo")
    assert report.steps == STEPS
    assert report.error == "Below the bar."
    assert report.production == "Production is untouched."


@pytest.mark.parametrize("text", ["{", "[1]", "{}", '[{"name": "train"}]', '[{"step": "train"}]'])
def test_anything_else_is_refused(
    tmp_path: Path, text: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert write(tmp_path, text) == 2
    assert "Expected a list of steps" in capsys.readouterr().err
