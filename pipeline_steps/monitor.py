"""Compare what the live model answers with what it answered when it was evaluated.

    python -m pipeline_steps.monitor --profile sst2

Works from any machine: the history in S3 says which release is live and holds its evaluation, the
function's log its answers. Writes `monitor.json`, and `drift=true` or `drift=false` for later steps
of a GitHub job, and mails drift to MAIL_TO, if that is set. Drift is a finding, not a failure: the
exit code is 0 whatever is found.
"""

import sys
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.message import EmailMessage
from typing import ClassVar

from pipeline_steps import drift, github, log_groups, mailer, releases, step
from pipeline_steps.artefact import Artefact
from pipeline_steps.aws import Clients, aws_errors
from pipeline_steps.drift import Comparison, Distribution
from pipeline_steps.errors import ConfigurationError, PipelineError
from pipeline_steps.live_answers import AnswerLog
from pipeline_steps.mailer import MailError
from pipeline_steps.release_artefacts import ReleaseRecord
from pipeline_steps.settings import Settings
from pipeline_steps.step import Outcome


@dataclass(frozen=True)
class MonitorReport(Artefact):
    """What the monitor saw; where it could not judge, `labels` and `scores` are None.

    `verdict` is "no drift", "some shift", "drift" or "cannot judge", `summary` the same in words.
    """

    FILE: ClassVar[str] = "monitor.json"
    STEP: ClassVar[str] = "monitor"

    environment: str
    model_version: str
    since: str
    until: str
    verdict: str
    summary: str
    live: Distribution
    evaluated: Distribution | None
    labels: Comparison | None
    scores: Comparison | None


def run(settings: Settings, clients: Clients) -> Outcome:
    """Judge the live release by its answers and write `monitor.json`.

    Raises:
        ConfigurationError: nothing was released to this environment yet.
        PipelineError: AWS refused a call, or the history is not readable.
        MailError: there is drift, and the mail about it could not be sent; the report is written.
    """
    name, watch = settings.resource_name, settings.watch
    until = datetime.now(UTC)
    with aws_errors(PipelineError, f"Watching {name!r}"):
        release = _live_release(settings, clients)
        evaluated = releases.evaluation_of(clients, release).baseline
        # Before its record there are only the requests of its smoke test.
        released = datetime.fromisoformat(release.released_at)
        since = max(until - timedelta(hours=watch.monitor_hours), min(released, until))
        log = AnswerLog(clients.logs, log_groups.of_function(name), release.model_version)
        answers = log.read(since, until, watch.monitor_requests)
    report = _report(settings, release, evaluated, drift.describe(answers), (since, until))
    report.save(settings.environment_dir)
    github.set_output("drift", str(report.verdict == "drift").lower())
    told = _tell(settings, clients, report)
    return Outcome("done", f"{name} {release.model_version}: {report.summary}{told}")


def _tell(settings: Settings, clients: Clients, report: MonitorReport) -> str:
    """Mail drift to whom it concerns; gives what to add to the outcome."""
    if report.verdict != "drift" or not mailer.recipients(settings):
        return ""
    try:
        return f" (mailed {mailer.send(settings, clients, compose(settings, report))})"
    except MailError as error:
        raise MailError(
            f"There is drift ({settings.environment_dir / report.FILE} has the figures), and the "
            f"mail about it failed: {error}"
        ) from error


def compose(settings: Settings, report: MonitorReport) -> EmailMessage:
    """The mail about drift, without sender and recipients."""
    name, environment = settings.resource_name, settings.deploy.environment
    message = EmailMessage()
    message["Subject"] = f"[T5 Sentiment] {settings.profile}: drift of {name}"
    message.set_content(f"""\
The live answers of {name} no longer look like those of its evaluation.

{report.summary}

Model version: {report.model_version}
Traffic: {report.live.rows:,} answers from {report.since} to {report.until}
Labels: {_figures(report.labels)}
P(POSITIVE): {_figures(report.scores)}

This is no outage: the model is as good as it was, on other texts. What to do: docs/operations.md,
"Drift". A closer look, here with the last week's traffic:

    python -m pipeline_steps.monitor --profile {settings.profile} \\
        --environment {environment} --monitor-hours 168

All figures are in {settings.environment_dir / report.FILE} then; the dashboard {name} in CloudWatch
shows labels, scores, length and unknown tokens over time.
""")
    return message


def _figures(found: Comparison | None) -> str:
    if found is None:
        return "not compared"
    return f"PSI {found.psi:.3f}, {found.level} (chance alone stays below {found.chance:.3f})"


def _live_release(settings: Settings, clients: Clients) -> ReleaseRecord:
    release = releases.newest(settings, clients)
    if release is None:
        raise ConfigurationError(
            f"Nothing was released to {settings.deploy.environment} as {settings.deploy.name!r} "
            "yet, so there is nothing to watch. Run `python -m pipeline_steps` first."
        )
    return release


def _report(
    settings: Settings,
    release: ReleaseRecord,
    evaluated: Distribution | None,
    live: Distribution,
    times: tuple[datetime, datetime],
) -> MonitorReport:
    needed = settings.watch.monitor_requests
    labels = scores = None
    verdict = "cannot judge"
    if evaluated is None:
        summary = "its evaluation is older than this monitor: ship it again to have it watched"
    elif live.rows < needed:
        summary = f"too few requests ({live.rows} of {needed}) to judge"
    else:
        labels, scores = _compare(evaluated, live, settings.watch.drift_psi)
        verdict = max(labels.level, scores.level, key=drift.LEVELS.index)
        summary = f"{verdict}: {_in_words(evaluated, live, labels, scores)}"
    since, until = (moment.isoformat(timespec="seconds") for moment in times)
    return MonitorReport(
        environment=settings.deploy.environment,
        model_version=release.model_version,
        since=since,
        until=until,
        verdict=verdict,
        summary=summary,
        live=live,
        evaluated=evaluated,
        labels=labels,
        scores=scores,
    )


def _compare(
    evaluated: Distribution, live: Distribution, drift_from: float
) -> tuple[Comparison, Comparison]:
    expected, found = ([of.labels[name] for name in drift.LABELS] for of in (evaluated, live))
    labels = drift.compare(expected, found, drift_from)
    scores = drift.compare(evaluated.positive_histogram, live.positive_histogram, drift_from)
    return labels, scores


def _in_words(
    evaluated: Distribution, live: Distribution, labels: Comparison, scores: Comparison
) -> str:
    """The comparison for people; length and unknown tokens help to see why, and judge nothing."""
    words = [
        f"{live.positive_share:.0%} of {live.rows:,} answers are POSITIVE, "
        f"{evaluated.positive_share:.0%} in the evaluation (PSI {labels.psi:.2f})",
        f"P(POSITIVE) has PSI {scores.psi:.2f}",
    ]
    if live.mean_characters is not None and evaluated.mean_characters is not None:
        words.append(
            f"texts have {live.mean_characters:.0f} characters, {evaluated.mean_characters:.0f} "
            "in the evaluation"
        )
    if live.unknown_token_share is not None and evaluated.unknown_token_share is not None:
        words.append(
            f"{live.unknown_token_share:.2%} of tokens are unknown, "
            f"{evaluated.unknown_token_share:.2%} in the evaluation"
        )
    return "; ".join(words)


if __name__ == "__main__":
    sys.exit(step.main(run, __doc__))
