"""Mail what happened, where, and what to do next; by SMTP or Amazon SES.

    python -m pipeline_steps.notify --profile sst2 --mail-to team@example.com

Reads `run.json`. No recipients, no mail.
"""

import html
import platform
import sys
from email.message import EmailMessage

from pipeline_steps import mailer, step
from pipeline_steps.artefacts import RunReport
from pipeline_steps.aws import Clients
from pipeline_steps.settings import Settings
from pipeline_steps.step import Outcome


def run(settings: Settings, clients: Clients) -> Outcome:
    """Mail the run that `run.json` tells of.

    Raises:
        ConfigurationError: recipients are set, but no sender or no server.
        MailError: the mail server refused or could not be reached.
    """
    report = RunReport.load(settings.work_dir)
    if not mailer.recipients(settings):
        return Outcome("skipped", "no recipients: set MAIL_TO to get a mail")
    if report.error is None and not settings.mail.mail_on_success:
        return Outcome("skipped", "the run succeeded, and mail_on_success is false")
    return Outcome("done", f"mailed {mailer.send(settings, clients, compose(settings, report))}")


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


if __name__ == "__main__":
    sys.exit(step.main(run, __doc__))
