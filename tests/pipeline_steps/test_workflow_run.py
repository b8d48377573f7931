"""What the last job of a run learns from those before it, and mails, with nothing installed."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from pipeline_steps import workflow_run
from tests.conftest import find_free_port
from tests.pipeline_steps.inbox import opened

ROOT = Path(__file__).parents[2]


def step(conclusion: str = "success", **outputs: str) -> dict[str, Any]:
    return {"outcome": conclusion, "conclusion": conclusion, "outputs": outputs}


def job(result: str = "success", **steps: dict[str, Any]) -> dict[str, Any]:
    return {"result": result, "outputs": {"steps": json.dumps(steps)} if steps else {}}


def done(**outputs: str) -> dict[str, Any]:
    return step(status="done", seconds="1.50", detail="fine", **outputs)


GOOD = {
    "test": job(checkout=step(), test=step()),
    "train": job("skipped"),
    "evaluate": job(evaluate=done(model_version="0123456789ab", metrics='{"accuracy": 0.9}')),
}
RELEASED = {"deploy_endpoint": done(), "create_api": done(api_url="https://a.example")}


@pytest.fixture
def github(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """The variables of a job that a merge has started."""
    event = {"head_commit": {"message": "Shorter sentences (#12)\n\nAnd why."}}
    (tmp_path / "event.json").write_text(json.dumps(event), encoding="utf-8")
    for name, value in {
        "SERVER_URL": "https://github.com", "REPOSITORY": "me/mine", "SHA": "f" * 40,
        "EVENT_PATH": str(tmp_path / "event.json"), "ACTOR": "merger", "EVENT_NAME": "push",
        "RUN_ID": "7",
    }.items():  # fmt: skip
        monkeypatch.setenv(f"GITHUB_{name}", value)
    return monkeypatch


def test_good_run_has_its_figures(github: pytest.MonkeyPatch) -> None:
    jobs = GOOD | {"deploy-production": job(**RELEASED, smoke_test=done())}
    github.setenv("JOBS", json.dumps(jobs))
    report = workflow_run.report("sst2")
    assert (report.model_version, report.metrics) == ("0123456789ab", {"accuracy": 0.9})
    assert (report.error, report.api_url) == (None, "https://a.example")
    assert report.production == "The new version serves in production."
    assert [record.title for record in report.steps] == [
        "train", "evaluate", "deploy_endpoint (production)", "create_api (production)",
        "smoke_test (production)",
    ]  # fmt: skip
    assert report.origin is not None
    assert report.origin.change_url == "https://github.com/me/mine/pull/12"
    assert report.origin.title == "Shorter sentences (#12)"


@pytest.mark.parametrize(
    ("jobs", "told", "production"),
    [
        ({"test": job("failure", checkout=step("failure"))}, "The step 'checkout'", "untouched"),
        ({"test": job("failure")}, "The job 'test' ended with 'failure'", "untouched"),
        ({"train": job("cancelled", train=step("cancelled"))}, "with 'cancelled'", "untouched"),
        (
            {"deploy-production": job("failure", aws=step("failure", error="AWS refused"))},
            "AWS refused",
            "untouched",
        ),
        (
            {
                "deploy-production": job(
                    "failure",
                    **RELEASED,
                    smoke_test=step("failure", error="Wrong. Rolled back: x serves again."),
                )
            },
            "Wrong. Rolled back",
            "The old version serves again",
        ),
        (
            {"deploy-production": job("failure", **RELEASED, smoke_test=step("cancelled"))},
            "'smoke_test'",
            "was reached",
        ),
        (
            {
                "deploy-production": job(
                    "failure", **RELEASED, smoke_test=done(), create_alarms=step("failure")
                )
            },
            "'create_alarms'",
            "The new version serves",
        ),
    ],
)
def test_failure_says_why_and_what_serves(
    github: pytest.MonkeyPatch, jobs: dict[str, Any], told: str, production: str
) -> None:
    github.setenv("JOBS", json.dumps(GOOD | jobs))
    report = workflow_run.report("sst2")
    assert told in (report.error or "")
    assert production in report.production
    assert report.failed is not None
    assert report.failed.job in jobs


@pytest.mark.parametrize("profile", ["sst2", "ssst2"])
def test_mail_needs_no_package(github: pytest.MonkeyPatch, profile: str) -> None:
    jobs = GOOD | {"test": job("failure", python=step("failure"))}
    port = find_free_port()
    mail = {
        "T5_PROFILE": profile, "JOBS": json.dumps(jobs), "MAIL_TO": "a@example.com",
        "MAIL_FROM": "ci@example.com", "SMTP_HOST": "127.0.0.1", "T5_SMTP_PORT": str(port),
        "T5_SMTP_TLS": "false",
    }  # fmt: skip
    # WHEN it runs in a Python that has the standard library only
    command = [sys.executable, "-S", "-m", "pipeline_steps.notify"]
    with opened(port) as inbox:
        ended = subprocess.run(
            command, env={**os.environ, **mail}, cwd=ROOT, check=False, timeout=60,
            capture_output=True, text=True,
        )  # fmt: skip
    # THEN it mails, even of a profile that there is not
    assert (ended.returncode, ended.stderr) == (0, "")
    (message,) = inbox.messages
    assert message["Subject"] == f"[T5 Sentiment] {profile}: failed in python, 0123456789ab"
    body = message.get_body(("plain",))
    assert body is not None
    text = body.get_content()
    for part in ("Failed job: test", "Production is untouched", "merger (push): Shorter", "pull/12",
                 "actions/runs/7"):  # fmt: skip
        assert part in text
