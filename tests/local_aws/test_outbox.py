"""Every mail that SES accepts lands in the outbox; others do not."""

import email
import email.policy
from typing import Any

import pytest
from botocore.exceptions import ClientError

from local_aws.server import SENDER

TEXT = {"Data": "It went wéll."}
HTML = {"Data": "<p>It went wéll.</p>"}
SUBJECT = {"Data": "Pipeline ✓"}
TO = {"ToAddresses": ["someone@example.org"]}


def latest(kit: Any) -> Any:
    """The last mail in the outbox."""
    path = max(kit.aws.outbox.glob("*.eml"))
    return email.message_from_bytes(path.read_bytes(), policy=email.policy.default)


def check(mail: Any) -> None:
    """The mail is the one that was sent, with both its bodies."""
    assert (mail["From"], mail["To"]) == (SENDER, "someone@example.org")
    assert mail["Subject"] == "Pipeline ✓"
    assert mail.get_body(["plain"]).get_content().strip() == TEXT["Data"]
    assert mail.get_body(["html"]).get_content().strip() == HTML["Data"]


def test_simple_mail_is_kept(kit: Any) -> None:
    message = {"Subject": SUBJECT, "Body": {"Text": TEXT, "Html": HTML}}
    kit.client("ses").send_email(Source=SENDER, Destination=TO, Message=message)
    check(latest(kit))


def test_second_version_mail_is_kept(kit: Any) -> None:
    content = {"Simple": {"Subject": SUBJECT, "Body": {"Text": TEXT, "Html": HTML}}}
    kit.client("sesv2").send_email(FromEmailAddress=SENDER, Destination=TO, Content=content)
    check(latest(kit))


def test_raw_mail_is_kept_byte_for_byte(kit: Any) -> None:
    raw = f"From: {SENDER}\r\nTo: a@example.org\r\nSubject: x\r\n\r\nbody\r\n".encode()
    kit.client("ses").send_raw_email(RawMessage={"Data": raw})
    assert max(kit.aws.outbox.glob("*.eml")).read_bytes() == raw
    kit.client("sesv2").send_email(Content={"Raw": {"Data": raw}})
    assert max(kit.aws.outbox.glob("*.eml")).read_bytes() == raw


def test_unverified_sender_is_refused(kit: Any) -> None:
    before = len(list(kit.aws.outbox.iterdir()))
    message = {"Subject": SUBJECT, "Body": {"Text": TEXT}}
    with pytest.raises(ClientError, match="MessageRejected"):
        kit.client("ses").send_email(Source="stranger@example.net", Destination=TO, Message=message)
    assert len(list(kit.aws.outbox.iterdir())) == before
