"""The mail: what it says, and that it arrives by SMTP and by SES."""

import dataclasses
import email
import email.policy
from collections.abc import Iterator
from email.message import EmailMessage
from pathlib import Path
from typing import Any, cast

import boto3
import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult
from moto.server import ThreadedMotoServer

from pipeline_steps import notify
from pipeline_steps import settings as settings_module
from pipeline_steps.artefacts import RunReport, StepRecord
from pipeline_steps.aws import Clients
from pipeline_steps.errors import ConfigurationError
from pipeline_steps.notify import NotifyError
from pipeline_steps.settings import Settings

STEPS = [StepRecord("check_data", "done", 0.4), StepRecord("train", "done", 12.0)]
GOOD = RunReport(
    "demo", "0123456789ab", [*STEPS, StepRecord("deploy_endpoint", "done", 6.0)],
    {"accuracy": 0.95}, "http://127.0.0.1:8000", "t5-sentiment-demo",
)  # fmt: skip
BAD = RunReport(
    "demo", "0123456789ab", [*STEPS, StepRecord("evaluate", "failed", 3.0)],
    {"accuracy": 0.5}, error="Accuracy 0.500 is below the bar of <0.900>.",
)  # fmt: skip


class Inbox:
    """An SMTP server's handler that keeps what arrives."""

    def __init__(self) -> None:
        self.messages: list[EmailMessage] = []

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:  # noqa: N802
        parsed = email.message_from_bytes(envelope.content, policy=email.policy.default)
        self.messages.append(cast(EmailMessage, parsed))
        return "250 OK"


def settings_for(folder: Path, report: RunReport, **overrides: Any) -> Settings:
    settings = settings_module.load("demo", folder, {"mail_from": "ci@example.com", **overrides})
    report.save(settings.work_dir)
    return settings


@pytest.fixture
def inbox(free_port: int) -> Iterator[tuple[Inbox, dict[str, Any]]]:
    handler = Inbox()
    controller = Controller(
        handler,
        hostname="127.0.0.1",
        port=free_port,
        authenticator=lambda *arguments: AuthResult(
            success=arguments[4].password == b"right", handled=False
        ),
        auth_require_tls=False,
    )
    controller.start()
    yield handler, {"smtp_host": "127.0.0.1", "smtp_port": free_port, "smtp_tls": False}
    controller.stop()


def parts(message: EmailMessage) -> tuple[str, str]:
    text, html = message.get_body(("plain",)), message.get_body(("html",))
    assert text is not None
    assert html is not None
    return text.get_content(), html.get_content()


def test_no_recipients_is_one_clear_line(tmp_path: Path) -> None:
    outcome = notify.run(settings_for(tmp_path, GOOD), Clients())
    assert outcome == notify.Outcome("skipped", "no recipients: set MAIL_TO to get a mail")


def test_mail_arrives_by_smtp(tmp_path: Path, inbox: tuple[Inbox, dict[str, Any]]) -> None:
    received, server = inbox
    settings = settings_for(tmp_path, GOOD, mail_to="a@example.com, b@example.com", **server)
    outcome = notify.run(settings, Clients())
    assert outcome.detail == "mailed a@example.com, b@example.com"
    (message,) = received.messages
    assert message["Subject"] == "[T5 Sentiment] demo: 0123456789ab is live"
    assert message["To"] == "a@example.com, b@example.com"
    text, html = parts(message)
    for shown in ("accuracy 0.95", "http://127.0.0.1:8000", "t5-sentiment-demo", "Nothing to do"):
        assert shown in text
        assert shown in html


def test_failure_says_what_and_what_next(
    tmp_path: Path, inbox: tuple[Inbox, dict[str, Any]]
) -> None:
    received, server = inbox
    notify.run(settings_for(tmp_path, BAD, mail_to="a@example.com", **server), Clients())
    (message,) = received.messages
    assert message["Subject"] == "[T5 Sentiment] demo: failed in evaluate, 0123456789ab"
    text, html = parts(message)
    assert "below the bar of <0.900>" in text
    assert "below the bar of &lt;0.900&gt;" in html
    assert "Production is untouched." in text


def test_failure_after_the_deploy_says_what_serves(tmp_path: Path) -> None:
    # GIVEN a second failure of the smoke test, with the endpoint found as it was
    steps = [
        *STEPS,
        StepRecord("deploy_endpoint", "reused", 1),
        StepRecord("smoke_test", "failed", 1),
    ]
    report = dataclasses.replace(GOOD, steps=steps, error="the wrong answer")
    text, _ = parts(notify.compose(settings_for(tmp_path, report), report))
    assert "the error ends with what serves there now" in text
    assert "untouched" not in text


def test_success_may_stay_unmailed(tmp_path: Path) -> None:
    overrides = {"mail_to": "a@example.com", "mail_on_success": "false"}
    assert notify.run(settings_for(tmp_path, GOOD, **overrides), Clients()).status == "skipped"


def test_password_comes_from_the_environment(
    tmp_path: Path, inbox: tuple[Inbox, dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    received, server = inbox
    settings = settings_for(tmp_path, GOOD, mail_to="a@example.com", **server)
    monkeypatch.setenv("SMTP_USERNAME", "ci")
    monkeypatch.setenv("SMTP_PASSWORD", "wrong")
    with pytest.raises(NotifyError, match=r"did not take the mail.*SMTP_PASSWORD"):
        notify.run(settings, Clients())
    monkeypatch.setenv("SMTP_PASSWORD", "right")
    notify.run(settings, Clients())
    assert len(received.messages) == 1


def test_unreachable_server_names_host_and_port(tmp_path: Path) -> None:
    overrides = {"mail_to": "a@example.com", "smtp_host": "127.0.0.1", "smtp_port": 9}
    with pytest.raises(NotifyError, match=r"127\.0\.0\.1:9 did not take the mail"):
        notify.run(settings_for(tmp_path, BAD, **overrides), Clients())


@pytest.mark.parametrize("missing", ["mail_from", "smtp_host"])
def test_half_a_configuration_is_told(tmp_path: Path, missing: str) -> None:
    overrides = {"mail_to": "a@example.com", "smtp_host": "127.0.0.1", missing: ""}
    with pytest.raises(ConfigurationError, match=f"{missing} .* is not set"):
        notify.run(settings_for(tmp_path, GOOD, **overrides), Clients())


def test_mail_arrives_by_ses(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    try:
        host, port = server.get_host_and_port()
        monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://{host}:{port}")
        for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
            monkeypatch.setenv(name, "test")
        monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
        overrides = {"mail_to": "a@example.com", "mail_transport": "ses"}
        settings = settings_for(tmp_path, GOOD, **overrides)
        # GIVEN a sender that SES does not know THEN the refusal is told
        with pytest.raises(NotifyError, match="SendEmail failed"):
            notify.run(settings, Clients())
        # WHEN it is verified THEN the mail is taken
        ses = boto3.client("ses")
        ses.verify_email_identity(EmailAddress="ci@example.com")
        assert notify.run(settings, Clients()).status == "done"
        assert ses.get_send_statistics()["SendDataPoints"][0]["DeliveryAttempts"] == 1
    finally:
        server.stop()
