"""Send a mail through an SMTP server or Amazon SES.

The password of an SMTP server comes from the environment only: SMTP_USERNAME and SMTP_PASSWORD.
https://docs.aws.amazon.com/ses/latest/APIReference-V2/API_SendEmail.html
"""

import os
import smtplib
import ssl
from email.message import EmailMessage

from pipeline_steps.clients import Clients
from pipeline_steps.errors import ConfigurationError, PipelineError
from pipeline_steps.settings import Settings

SMTP_SECONDS = 20


class MailError(PipelineError):
    """The mail could not be sent. What it was to tell of stays what it was."""


def recipients(settings: Settings) -> list[str]:
    """Who is to hear of it; nobody, where MAIL_TO is not set."""
    return [address.strip() for address in settings.mail.mail_to.split(",") if address.strip()]


def send(settings: Settings, clients: Clients, message: EmailMessage) -> str:
    """Mail `message`, which has neither sender nor recipients yet; gives who got it.

    Raises:
        ConfigurationError: no sender or no server is set, or half of a login.
        MailError: the mail server refused or could not be reached.
    """
    message["From"] = settings.require("mail", "mail_from")
    message["To"] = to = ", ".join(recipients(settings))
    if settings.mail.mail_transport == "ses":
        # The rest needs the standard library only, so it mails where nothing could be installed.
        from pipeline_steps.aws import aws_errors  # noqa: PLC0415

        with aws_errors(MailError, "Sending mail through SES"):
            clients.ses.send_email(Content={"Raw": {"Data": message.as_bytes()}})
    else:
        _send_by_smtp(settings, message)
    return to


def _send_by_smtp(settings: Settings, message: EmailMessage) -> None:
    mail, host = settings.mail, settings.require("mail", "smtp_host")
    user, password = os.environ.get("SMTP_USERNAME"), os.environ.get("SMTP_PASSWORD")
    if bool(user) != bool(password):
        raise ConfigurationError("Set both SMTP_USERNAME and SMTP_PASSWORD, or neither.")
    try:
        with smtplib.SMTP(host, mail.smtp_port, timeout=SMTP_SECONDS) as server:
            if mail.smtp_tls:
                server.starttls(context=ssl.create_default_context())
            if user and password:
                server.login(user, password)
            server.send_message(message)
    except (OSError, smtplib.SMTPException) as error:
        raise MailError(
            f"The mail server {host}:{mail.smtp_port} did not take the mail: {error}. "
            "Check SMTP_HOST, SMTP_PORT, SMTP_USERNAME and SMTP_PASSWORD."
        ) from error
