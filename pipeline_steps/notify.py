"""Mail what happened, where, and what to do next; by SMTP or Amazon SES.

    python -m pipeline_steps.notify --profile sst2 --mail-to team@example.com

Reads `run.json`. No recipients, no mail. The password of an SMTP server comes from the environment
only: SMTP_USERNAME and SMTP_PASSWORD.
"""

import html
import os
import platform
import smtplib
import ssl
import sys
from email.message import EmailMessage

from pipeline_steps import step
from pipeline_steps.artefacts import RunReport
from pipeline_steps.aws import Clients, aws_errors
from pipeline_steps.errors import ConfigurationError, PipelineError
from pipeline_steps.setting_groups import MailSettings
from pipeline_steps.settings import Settings
from pipeline_steps.step import Outcome

SMTP_SECONDS = 20


class NotifyError(PipelineError):
    """The mail could not be sent. The pipeline's own result stays what it was."""


def run(settings: Settings, clients: Clients) -> Outcome:
    """Mail the run that `run.json` tells of.

    Raises:
        ConfigurationError: recipients are set, but no sender or no server.
        NotifyError: the mail server refused or could not be reached.
    """
    mail = settings.mail
    report = RunReport.load(settings.work_dir)
    recipients = [address.strip() for address in mail.mail_to.split(",") if address.strip()]
    if not recipients:
        return Outcome("skipped", "no recipients: set MAIL_TO to get a mail")
    if report.error is None and not mail.mail_on_success:
        return Outcome("skipped", "the run succeeded, and mail_on_success is false")
    message = compose(settings, report)
    message["From"] = settings.require("mail", "mail_from")
    message["To"] = ", ".join(recipients)
    if mail.mail_transport == "ses":
        with aws_errors(NotifyError, "Sending mail through SES"):
            clients.ses.send_email(Content={"Raw": {"Data": message.as_bytes()}})
    else:
        _send_by_smtp(settings, mail, message)
    return Outcome("done", f"mailed {', '.join(recipients)}")


def compose(settings: Settings, report: RunReport) -> EmailMessage:
    """The mail about a run, as text and as HTML, without sender and recipients."""
    failed = next((record for record in report.steps if record.status == "failed"), None)
    version = report.model_version or "no model"
    if report.error is None:
        verdict = f"{version} is live"
    else:
        verdict = f"failed in {failed.title if failed else 'the pipeline'}, {version}"
    rows = [("Profile", report.profile), ("Model version", version)]
    rows += [("What failed", report.error)] if report.error else []
    rows += [("Metrics", _metrics(report))] if report.metrics else []
    rows += [("API", report.api_url)] if report.api_url else []
    rows += [("Endpoint", report.endpoint_name)] if report.endpoint_name else []
    rows += [("Cost", report.cost)] if report.cost else []
    rows += [("Next", _next_action(report)), ("Where", f"{platform.node()}:{settings.work_dir}")]
    steps = [
        f"{record.title:<29} {record.status:<8} {record.seconds:7.1f} s" for record in report.steps
    ]
    message = EmailMessage()
    message["Subject"] = f"[T5 Sentiment] {report.profile}: {verdict}"
    text = "\n".join(f"{name}: {value}" for name, value in rows)
    message.set_content(text + "\n\n" + "\n".join(steps) + "\n")
    cells = "".join(
        f"<tr><th align=left valign=top>{html.escape(name)}</th><td>{html.escape(value)}</td></tr>"
        for name, value in rows
    )
    message.add_alternative(
        f"<h2>{html.escape(verdict)}</h2><table cellpadding=4>{cells}</table>"
        f"<pre>{html.escape(chr(10).join(steps))}</pre>",
        subtype="html",
    )
    return message


def _metrics(report: RunReport) -> str:
    return ", ".join(f"{name} {value:.4g}" for name, value in report.metrics.items())


def _next_action(report: RunReport) -> str:
    if report.error is None:
        return "Nothing to do."
    live = (
        "Production was reached; the error ends with what serves there now."
        if report.endpoint_name
        else "Production is untouched."
    )
    return f"Mend the cause and run the same command: it goes on where it ended. {live}"


def _send_by_smtp(settings: Settings, mail: MailSettings, message: EmailMessage) -> None:
    host = settings.require("mail", "smtp_host")
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
        raise NotifyError(
            f"The mail server {host}:{mail.smtp_port} did not take the mail: {error}. "
            "Check SMTP_HOST, SMTP_PORT, SMTP_USERNAME and SMTP_PASSWORD."
        ) from error


if __name__ == "__main__":
    sys.exit(step.main(run, __doc__))
