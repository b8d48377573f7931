"""An SMTP server that keeps what arrives, for all tests that mail."""

import email
import email.policy
from collections.abc import Iterator
from contextlib import contextmanager
from email.message import EmailMessage
from typing import Any, cast

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult


class Inbox:
    """The server's handler; `server` are the settings that lead to it."""

    def __init__(self, port: int) -> None:
        self.server = {"smtp_host": "127.0.0.1", "smtp_port": port, "smtp_tls": False}
        self.messages: list[EmailMessage] = []

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:  # noqa: N802
        parsed = email.message_from_bytes(envelope.content, policy=email.policy.default)
        self.messages.append(cast(EmailMessage, parsed))
        return "250 OK"


@contextmanager
def opened(port: int) -> Iterator[Inbox]:
    """An inbox at `port` of the loopback, whose password is "right"."""
    inbox = Inbox(port)
    controller = Controller(
        inbox,
        hostname="127.0.0.1",
        port=port,
        authenticator=lambda *arguments: AuthResult(
            success=arguments[4].password == b"right", handled=False
        ),
        auth_require_tls=False,
    )
    controller.start()
    try:
        yield inbox
    finally:
        controller.stop()
