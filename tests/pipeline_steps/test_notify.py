"""The mail about a run: what it says, and who gets it when."""

import dataclasses
from collections.abc import Iterator
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import pytest

from pipeline_steps import notify
from pipeline_steps import settings as settings_module
from pipeline_steps.aws import Clients
from pipeline_steps.release_artefacts import RunReport, StepRecord
from pipeline_steps.settings import Settings
from tests.pipeline_steps.inbox import Inbox, opened

STEPS = [StepRecord("check_data", "done", 0.4), StepRecord("train", "done", 12.0)]
GOOD = RunReport(
    "demo", "0123456789ab", [*STEPS, StepRecord("deploy_endpoint", "done", 6.0, "", "production")],
    {"accuracy": 0.95}, "http://127.0.0.1:8000", "t5-sentiment-demo",
)  # fmt: skip
BAD = RunReport(
    "demo", "0123456789ab", [*STEPS, StepRecord("evaluate", "failed", 3.0)],
    {"accuracy": 0.5}, error="Accuracy 0.500 is below the bar of <0.900>.",
)  # fmt: skip


def settings_for(folder: Path, report: RunReport, **overrides: Any) -> Settings:
    settings = settings_module.load("demo", folder, {"mail_from": "ci@example.com", **overrides})
    report.save(settings.work_dir)
    return settings


@pytest.fixture
def inbox(free_port: int) -> Iterator[Inbox]:
    with opened(free_port) as inbox:
        yield inbox


def parts(message: EmailMessage) -> tuple[str, str]:
    text, html = message.get_body(("plain",)), message.get_body(("html",))
    assert text is not None
    assert html is not None
    return text.get_content(), html.get_content()


def test_no_recipients_is_one_clear_line(tmp_path: Path) -> None:
    outcome = notify.run(settings_for(tmp_path, GOOD), Clients())
    assert outcome == notify.Outcome("skipped", "no recipients: set MAIL_TO to get a mail")


def test_success_says_where(tmp_path: Path, inbox: Inbox) -> None:
    settings = settings_for(tmp_path, GOOD, mail_to="a@example.com, b@example.com", **inbox.server)
    outcome = notify.run(settings, Clients())
    assert outcome.detail == "mailed a@example.com, b@example.com"
    (message,) = inbox.messages
    assert message["Subject"] == "[T5 Sentiment] demo: 0123456789ab is live"
    assert message["To"] == "a@example.com, b@example.com"
    text, html = parts(message)
    for shown in ("accuracy 0.95", "http://127.0.0.1:8000", "t5-sentiment-demo", "Nothing to do"):
        assert shown in text
        assert shown in html


def test_failure_says_what_and_what_next(tmp_path: Path, inbox: Inbox) -> None:
    settings = settings_for(tmp_path, BAD, mail_to="a@example.com", **inbox.server)
    notify.run(settings, Clients())
    (message,) = inbox.messages
    assert message["Subject"] == "[T5 Sentiment] demo: failed in evaluate, 0123456789ab"
    text, html = parts(message)
    assert "below the bar of <0.900>" in text
    assert "below the bar of &lt;0.900&gt;" in html
    assert "Production is untouched." in text


def test_failure_after_the_deploy_says_what_serves(tmp_path: Path) -> None:
    # GIVEN a second failure of the smoke test, with the endpoint found as it was
    steps = [
        *STEPS,
        StepRecord("deploy_endpoint", "reused", 1, "", "production"),
        StepRecord("smoke_test", "failed", 1, "the wrong answer", "production"),
    ]
    report = dataclasses.replace(GOOD, steps=steps, error="the wrong answer")
    text, _ = parts(notify.compose(settings_for(tmp_path, report), report))
    assert "the error ends with what serves there now" in text
    assert "untouched" not in text


def test_success_may_stay_unmailed(tmp_path: Path) -> None:
    overrides = {"mail_to": "a@example.com", "mail_on_success": "false"}
    assert notify.run(settings_for(tmp_path, GOOD, **overrides), Clients()).status == "skipped"
