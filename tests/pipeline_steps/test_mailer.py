"""A mail arrives by SMTP and by SES, or its failure says what to look at."""

from collections.abc import Iterator
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import boto3
import pytest
from moto.server import ThreadedMotoServer

from pipeline_steps import mailer
from pipeline_steps import settings as settings_module
from pipeline_steps.aws import Clients
from pipeline_steps.errors import ConfigurationError
from pipeline_steps.mailer import MailError
from pipeline_steps.settings import Settings
from tests.pipeline_steps.inbox import Inbox, opened


@pytest.fixture
def inbox(free_port: int) -> Iterator[Inbox]:
    with opened(free_port) as inbox:
        yield inbox


def settings_for(folder: Path, **overrides: Any) -> Settings:
    addresses = {"mail_from": "ci@example.com", "mail_to": "a@example.com, b@example.com,"}
    return settings_module.load("demo", folder, addresses | overrides)


def hello() -> EmailMessage:
    """A mail as the steps compose it: without sender and recipients."""
    message = EmailMessage()
    message["Subject"] = "hello"
    message.set_content("PSI Σ 0.3\n")
    return message


def test_mail_arrives_by_smtp(tmp_path: Path, inbox: Inbox) -> None:
    told = mailer.send(settings_for(tmp_path, **inbox.server), Clients(), hello())
    assert told == "a@example.com, b@example.com"
    (message,) = inbox.messages
    assert message["Subject"] == "hello"
    assert (message["From"], message["To"]) == ("ci@example.com", told)
    assert message.get_content().splitlines() == ["PSI Σ 0.3"]


def test_nobody_is_set_by_default(tmp_path: Path) -> None:
    assert mailer.recipients(settings_for(tmp_path, mail_to=" , ")) == []
    assert mailer.recipients(settings_for(tmp_path)) == ["a@example.com", "b@example.com"]


def test_password_comes_from_the_environment(
    tmp_path: Path, inbox: Inbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = settings_for(tmp_path, **inbox.server)
    monkeypatch.setenv("SMTP_USERNAME", "ci")
    with pytest.raises(ConfigurationError, match="both SMTP_USERNAME and SMTP_PASSWORD"):
        mailer.send(settings, Clients(), hello())
    monkeypatch.setenv("SMTP_PASSWORD", "wrong")
    with pytest.raises(MailError, match=r"did not take the mail.*SMTP_PASSWORD"):
        mailer.send(settings, Clients(), hello())
    monkeypatch.setenv("SMTP_PASSWORD", "right")
    mailer.send(settings, Clients(), hello())
    assert len(inbox.messages) == 1


def test_unreachable_server_names_host_and_port(tmp_path: Path) -> None:
    settings = settings_for(tmp_path, smtp_host="127.0.0.1", smtp_port=9)
    with pytest.raises(MailError, match=r"127\.0\.0\.1:9 did not take the mail"):
        mailer.send(settings, Clients(), hello())


@pytest.mark.parametrize("missing", ["mail_from", "smtp_host"])
def test_half_a_configuration_is_told(tmp_path: Path, missing: str) -> None:
    settings = settings_for(tmp_path, **{"smtp_host": "127.0.0.1", missing: ""})
    with pytest.raises(ConfigurationError, match=f"{missing} .* is not set"):
        mailer.send(settings, Clients(), hello())


def test_mail_arrives_by_ses(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    try:
        host, port = server.get_host_and_port()
        monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://{host}:{port}")
        for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
            monkeypatch.setenv(name, "test")
        monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
        settings = settings_for(tmp_path, mail_transport="ses")
        # GIVEN a sender that SES does not know THEN the refusal is told
        with pytest.raises(MailError, match="SendEmail failed"):
            mailer.send(settings, Clients(), hello())
        # WHEN it is verified THEN the mail is taken
        ses = boto3.client("ses")
        ses.verify_email_identity(EmailAddress="ci@example.com")
        mailer.send(settings, Clients(), hello())
        # One for each recipient.
        assert ses.get_send_statistics()["SendDataPoints"][0]["DeliveryAttempts"] == 2
    finally:
        server.stop()
