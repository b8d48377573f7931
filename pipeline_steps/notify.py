"""Mail what happened, where, and what to do next; by SMTP or Amazon SES.

    python -m pipeline_steps.notify --profile sst2 --mail-to team@example.com

Reads `run.json`, or on GitHub what the run's jobs left. No recipients, no mail. By SMTP it needs
the standard library only, so it mails also where nothing could be installed.
"""

import html
import platform
import sys
from email.message import EmailMessage

from pipeline_steps import mailer, step, workflow_run
from pipeline_steps import settings as settings_module
from pipeline_steps.clients import Clients
from pipeline_steps.errors import ConfigurationError
from pipeline_steps.release_artefacts import Origin, RunReport
from pipeline_steps.settings import Settings
from pipeline_steps.step import Outcome


def run(settings: Settings, clients: Clients) -> Outcome:
    """Mail the run that `run.json` tells of, or the one on GitHub that this job ends.

    Raises:
        ConfigurationError: recipients are set, but no sender or no server.
        MailError: the mail server refused or could not be reached.
    """
    if not mailer.recipients(settings):
        return Outcome("skipped", "no recipients: set MAIL_TO to get a mail")
    if workflow_run.is_here():
        report = workflow_run.report(settings.profile)
    else:
        report = RunReport.load(settings.work_dir)
    if report.error is None and not settings.mail.mail_on_success:
        return Outcome("skipped", "the run succeeded, and mail_on_success is false")
    return Outcome("done", f"mailed {mailer.send(settings, clients, compose(settings, report))}")


def compose(settings: Settings, report: RunReport) -> EmailMessage:
    """The mail about a run, as text and as HTML, without sender and recipients."""
    failed = report.failed
    version = report.model_version or "no model"
    if report.error is not None:
        verdict = f"failed in {failed.title if failed else 'the pipeline'}, {version}"
    else:
        is_live = any(
            record.environment == "production" and record.status != "skipped"
            for record in report.steps
        )
        verdict = f"{version} is live" if is_live else f"{version} is ready, not deployed"
    rows = [("Profile", report.profile), ("Model version", version)]
    rows += [("Failed job", failed.job)] if failed and failed.job else []
    rows += [("What failed", report.error)] if report.error else []
    rows += [("Production", report.production)]
    rows += _origin(report.origin) if report.origin else []
    rows += [("Gate overridden", report.override)] if report.override else []
    rows += [("Metrics", _metrics(report))] if report.metrics else []
    rows += [("Report", report.report_url)] if report.report_url else []
    rows += [("API", report.api_url)] if report.api_url else []
    rows += [("Endpoint", report.endpoint_name)] if report.endpoint_name else []
    rows += [("Cost", report.cost)] if report.cost else []
    where = report.origin.run_url if report.origin else f"{platform.node()}:{settings.work_dir}"
    rows += [("Next", _next_action(report)), ("Where", where)]
    steps = [
        f"{record.title:<29} {record.status:<8} {record.seconds:7.1f} s" for record in report.steps
    ]
    message = EmailMessage()
    subject = f"[T5 Sentiment] {report.profile}: {verdict}"
    message["Subject"] = " ".join(subject.split())[:200]  # one line, whatever was typed
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


def _origin(origin: Origin) -> list[tuple[str, str]]:
    what = origin.title or f"commit {origin.commit[:12]}"
    return [
        ("Started by", f"{origin.actor} ({origin.event}): {what}"),
        ("Change", origin.change_url),
    ]


def _next_action(report: RunReport) -> str:
    if report.error is None:
        return "Nothing to do."
    return "Mend the cause and run the same again: it goes on where it ended."


def main(arguments: list[str] | None = None) -> int:
    """Mail as the flags say, and give back the exit code."""
    parser = step.parser_with_flags(__doc__, "python -m pipeline_steps.notify")
    parsed = parser.parse_args(arguments)

    def mail() -> None:
        try:
            settings = settings_module.from_flags(parsed)
        except ConfigurationError:
            if not workflow_run.is_here():
                raise
            # The run has failed of the same, and that is what is to be mailed.
            settings = settings_module.of_mail_alone(parsed.profile, parsed.build_dir)
        outcome = run(settings, Clients())
        print(f"{outcome.status}: {outcome.detail}")

    return step.exit_code_of(mail, "notify")


if __name__ == "__main__":
    sys.exit(main())
