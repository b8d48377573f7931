"""`python -m pipeline_steps`: all steps in order, on a local AWS, with a record of it."""

import dataclasses
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import requests

from local_aws.server import LocalAws
from pipeline_steps import __main__ as pipeline
from pipeline_steps import settings as settings_module
from pipeline_steps.aws import Clients
from pipeline_steps.errors import GateNotMetError, TrainingFailedError
from pipeline_steps.evaluation_artefacts import Evaluation
from pipeline_steps.model_artefacts import Manifest
from pipeline_steps.release_artefacts import RunReport
from pipeline_steps.setting_groups import GateSettings
from pipeline_steps.settings import Settings

QUICK_FLAGS = [
    "--vocab-size", "600", "--epochs", "1", "--max-steps", "25", "--evaluations-per-epoch", "1",
]  # fmt: skip
NAMES = [*pipeline.MODEL_STEPS, *pipeline.RELEASE_STEPS, "report", "notify"]


def run(settings: Settings, *flags: str) -> int:
    where = ["--build-dir", str(settings.build_dir)]
    return pipeline.main([*where, *QUICK_FLAGS, *flags])


def statuses(settings: Settings) -> dict[str, str]:
    return {record.name: record.status for record in RunReport.load(settings.work_dir).steps}


def test_pipeline_ends_with_a_live_api(
    packaged: Settings, aws: LocalAws, capsys: pytest.CaptureFixture[str]
) -> None:
    # WHEN all steps run
    assert run(packaged, "--min-accuracy", "0") == 0
    # THEN the record names each step, the figures and where the model is
    report = json.loads((packaged.work_dir / "run.json").read_bytes())
    assert [record["name"] for record in report["steps"]] == NAMES
    assert report["steps"][-1]["status"] == "skipped"  # no recipients
    assert report["model_version"] == Manifest.load(packaged.work_dir).model_version
    assert 0 < report["metrics"]["accuracy"] <= 1
    assert report["endpoint_name"] == "t5-sentiment-demo"
    assert report["error"] is None
    # AND the request that it prints is answered
    printed = capsys.readouterr().out
    command = next(line for line in printed.splitlines() if "curl" in line)
    answered = subprocess.run(
        ["/bin/sh", "-c", command], capture_output=True, text=True, check=True, timeout=60
    )
    assert set(json.loads(answered.stdout)) == {"label", "score"}
    # AND a second run finds everything done
    assert run(packaged, "--min-accuracy", "0") == 0
    done = {name for name, status in statuses(packaged).items() if status == "done"}
    assert done == {"check_data", "smoke_test", "report"}


@pytest.mark.parametrize("approval", ["staging", "manual"])
def test_staging_comes_before_production(tmp_path: Path, approval: str) -> None:
    settings = settings_module.load("demo", tmp_path, {"approval": approval})
    environments = [where for _, _, where in pipeline.plan(settings)]
    count = len(pipeline.RELEASE_STEPS)
    assert environments[-2 * count :] == ["staging"] * count + ["production"] * count
    assert set(environments[: -2 * count]) == {None}


def test_gate_not_met_deploys_nothing(
    packaged: Settings, aws: LocalAws, capsys: pytest.CaptureFixture[str]
) -> None:
    mail = ["--mail-to", "team@example.com", "--mail-from", "pipeline@example.com"]
    assert run(packaged, "--min-accuracy", "1", *mail, "--mail-transport", "ses") == 5
    assert "below the bar of 1.000" in capsys.readouterr().err
    after = list(statuses(packaged).values())
    assert after[3:] == ["failed", *["skipped"] * 5, "done", "done"]
    assert "It does not ship" in (packaged.work_dir / "report.html").read_text(encoding="utf-8")
    assert Clients().sagemaker.list_endpoints()["Endpoints"] == []
    assert Clients().sagemaker.list_models()["Models"] == []
    (mailed,) = aws.outbox.glob("*.eml")
    assert "below the bar" in mailed.read_text(encoding="utf-8")


def test_failed_run_keeps_the_live_model(packaged: Settings, aws: LocalAws) -> None:
    assert run(packaged, "--min-accuracy", "0") == 0
    url = RunReport.load(packaged.work_dir).api_url
    assert run(packaged, "--min-accuracy", "1") == 5
    report = RunReport.load(packaged.work_dir)
    assert report.api_url is None
    assert report.metrics["accuracy"] < 1
    answer = requests.post(f"{url}/predict", json={"inputs": "fine"}, timeout=60)
    assert answer.status_code == 200


@pytest.mark.parametrize("host", ["127.0.0.1", "a..b.example"])
def test_mail_that_fails_changes_no_result(
    packaged: Settings, capsys: pytest.CaptureFixture[str], host: str
) -> None:
    flags = ["--min-accuracy", "1", "--mail-to", "a@example.com", "--mail-from", "b@example.com"]
    assert run(packaged, *flags, "--smtp-host", host, "--smtp-port", "9") == 5
    assert statuses(packaged)["notify"] == "failed"
    captured = capsys.readouterr().err
    assert "warning: no mail was sent" in captured
    assert "below the bar" in captured


def test_figures_are_never_of_another_model(
    packaged: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(settings: Settings, clients: Clients) -> Any:
        raise TrainingFailedError("The candidate cannot be evaluated.")

    # GIVEN the evaluation of the model before, and a candidate that cannot be evaluated
    evaluation = Evaluation.load(packaged.work_dir)
    dataclasses.replace(evaluation, candidate_hash="of before").save(packaged.work_dir)
    monkeypatch.setitem(pipeline.MODEL_STEPS, "evaluate", broken)
    with pytest.raises(TrainingFailedError):
        pipeline.Pipeline(packaged, Clients()).run()
    assert RunReport.load(packaged.work_dir).metrics == {}


def test_unexpected_error_is_recorded_and_raised(
    packaged: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(settings: Settings, clients: Clients) -> Any:
        raise ZeroDivisionError("a bug")

    monkeypatch.setitem(pipeline.MODEL_STEPS, "export", broken)
    with pytest.raises(ZeroDivisionError):
        pipeline.Pipeline(packaged, Clients()).run()
    report = RunReport.load(packaged.work_dir)
    assert report.error == "ZeroDivisionError: a bug"
    assert statuses(packaged)["package_model"] == "skipped"


def test_pipeline_raises_what_the_step_raised(packaged: Settings) -> None:
    strict = dataclasses.replace(packaged, gate=GateSettings(min_accuracy=1.0))
    with pytest.raises(GateNotMetError):
        pipeline.Pipeline(strict, Clients()).run()


@pytest.mark.parametrize(
    ("flags", "code", "message"),
    [
        (["--profile", "dem0"], 2, "Did you mean 'demo'"),
        (["--epochs", "none"], 2, "--epochs: 'none' is not a value of type int"),
        (["--data", "./nowhere"], 3, "No data folder at 'nowhere'"),
        (["--backbone", "./nowhere"], 2, "nowhere"),
    ],
)
def test_bad_input_is_told_and_coded(
    tmp_path: Path, flags: list[str], code: int, message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert pipeline.main(["--build-dir", str(tmp_path), *flags]) == code
    captured = capsys.readouterr().err
    assert message in captured
    assert "Traceback" not in captured


def test_unknown_flag_is_exit_code_2(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        pipeline.main(["--epoch-count", "3"])
    told = capsys.readouterr().err
    assert "unrecognized arguments: --epoch-count" in told
    assert len(told.splitlines()) == 2


def test_stopped_run_says_how_to_go_on(tmp_path: Path) -> None:
    # GIVEN a pipeline in the middle of its training
    command = [sys.executable, "-m", "pipeline_steps", "--build-dir", str(tmp_path)]
    command += ["--vocab-size", "600"]
    process = subprocess.Popen(
        command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    )
    deadline = time.monotonic() + 60
    while not (tmp_path / "demo" / "training").exists() and time.monotonic() < deadline:
        time.sleep(0.02)
    # WHEN it is told to end
    os.kill(process.pid, signal.SIGTERM)
    _, errors = process.communicate(timeout=60)
    # THEN it ends as a stopped program does, and its record says so
    assert process.returncode == 130
    assert "goes on where this one ended" in errors
    report = RunReport.load(tmp_path / "demo")
    assert report.error is not None
    assert report.error.startswith("Stopped")
    assert next(r.status for r in report.steps if r.name == "train") == "failed"
