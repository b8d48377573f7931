"""Tell a run on its page: verdict, figures, curve, mistakes, where it is, and what it costs.

    python -m pipeline_steps.summary --profile sst2

Reads what the steps wrote; prints Markdown, and on GitHub appends it to the job's summary. With a
bucket it compares with the model that production serves.
"""

import sys
from dataclasses import dataclass
from typing import Any

from pipeline_steps import cost, github, markdown, releases, step, workflow_run
from pipeline_steps.aws import Clients, aws_errors
from pipeline_steps.errors import ConfigurationError, DeployError, PipelineError
from pipeline_steps.evaluation_artefacts import Evaluation
from pipeline_steps.model_artefacts import Manifest, TrainingReport
from pipeline_steps.release_artefacts import Api, Release, ReleaseRecord, RunReport, SmokeReport
from pipeline_steps.setting_groups import Environment
from pipeline_steps.settings import Settings
from pipeline_steps.step import Outcome

ENVIRONMENTS: tuple[Environment, ...] = ("staging", "production")
MOST_POINTS = 60  # of the training curve, and rows of its table
MOST_ROWS = 20  # of mistakes


@dataclass(frozen=True)
class Champion:
    """The model that production serves, or served before this run; or why that is not known."""

    evaluation: Evaluation | None
    note: str


def run(settings: Settings, clients: Clients) -> Outcome:
    """Print the summary, and append it to the page of the GitHub job."""
    if workflow_run.is_here():
        report = workflow_run.report(settings.profile)
    else:
        report = RunReport.load(settings.work_dir)
    text = render(settings, report, champion(settings, clients))
    print(text)
    github.add_summary(text)
    return Outcome("done", f"{len(text):,} characters")


def champion(settings: Settings, clients: Clients) -> Champion:
    """What production serves beside the model of this run."""
    if not settings.deploy.bucket:
        return Champion(None, "There is no production to compare with: MODEL_BUCKET is not set.")
    live = settings.in_environment("production")
    manifest = Manifest.find(settings.work_dir)
    try:
        with aws_errors(DeployError, "Reading what production serves"):
            for known in releases.newest_first(live, clients):
                if not manifest or known.tarball_sha256 != manifest.tarball_sha256:
                    return Champion(releases.evaluation_of(clients, known), _since(known))
    except PipelineError as error:  # the run's own verdict stands without it
        return Champion(None, f"What production serves could not be read: {error}")
    return Champion(None, "Production has no other model to compare with.")


def _since(known: ReleaseRecord) -> str:
    return f"Compared with {known.model_version}, released at {known.released_at}."


def render(settings: Settings, report: RunReport, against: Champion) -> str:
    """The page; bounded, whatever the files hold."""
    folder = settings.work_dir
    evaluation = Evaluation.find(folder)
    training = TrainingReport.find(folder / "checkpoint")
    sections = [
        _verdict(report),
        _figures(settings, evaluation, against) if evaluation else "",
        _confusion(evaluation) if evaluation else "",
        _mistakes(evaluation) if evaluation else "",
        _curve(training) if training else "",
        _places(settings),
        _durations(report),
        _cost(settings),
    ]
    return "\n\n".join(section for section in sections if section) + "\n"


def _verdict(report: RunReport) -> str:
    version = markdown.escaped(report.model_version or "no model")
    why = markdown.escaped(report.override, github.MOST_CHARACTERS) if report.override else ""
    overridden = f"\n\n**⚠️ A rule of the gate failed, and was overridden:** {why}" if why else ""
    if report.error is None:
        where = [record.environment for record in report.steps if record.status != "skipped"]
        live = "is live" if "production" in where else "is ready; production is untouched"
        return f"# ✅ {version} {live}{overridden}"
    failed = report.failed.title if report.failed else "the pipeline"
    return (
        f"# ❌ {markdown.escaped(failed)} failed, {version}\n\n"
        f"> {markdown.escaped(report.error, github.MOST_CHARACTERS)}\n\n"
        f"**{report.production}**{overridden}"
    )


def _figures(settings: Settings, evaluation: Evaluation, against: Champion) -> str:
    bar, best = settings.gate.min_accuracy, against.evaluation
    low, high = evaluation.accuracy_interval
    bar_met = f"{_percent(bar)} ({'met' if evaluation.accuracy >= bar else 'not met'})"
    rows = [
        (
            "accuracy",
            _percent(evaluation.accuracy),
            bar_met,
            _of(best, "accuracy"),
        ),
        ("95 % interval", f"{_percent(low)} to {_percent(high)}", "", ""),
        ("F1 of POSITIVE", _percent(evaluation.f1), "", _of(best, "f1")),
        ("sentences", f"{evaluation.rows:,}", "", f"{best.rows:,}" if best else ""),
    ]
    note = markdown.escaped(against.note)
    if best and best.data_hash != evaluation.data_hash:
        note += " It was evaluated on other data: the figures do not compare."
    head = ("", "this model", "bar", "production")
    return f"## Figures\n\n{markdown.table(head, rows)}\n\n{note}"


def _of(evaluation: Evaluation | None, name: str) -> str:
    return _percent(getattr(evaluation, name)) if evaluation else ""


def _percent(share: float) -> str:
    return f"{share:.2%}"


def _confusion(evaluation: Evaluation) -> str:
    labels = list(evaluation.confusion_matrix)[:10]
    rows = [
        [want, *(evaluation.confusion_matrix[want].get(got, 0) for got in labels)]
        for want in labels
    ]
    head = ["is \\ was answered", *labels]
    return f"## Right and wrong\n\n{markdown.table(head, rows)}"


def _mistakes(evaluation: Evaluation) -> str:
    rows = [
        (mistake.text, mistake.label, mistake.answered, _percent(mistake.score))
        for mistake in evaluation.mistakes[:MOST_ROWS]
    ]
    if not rows:
        return ""
    shown = markdown.table(("sentence", "is", "was answered", "sure to"), rows)
    return markdown.folded(f"The {len(rows)} worst mistakes", shown)


def _curve(training: TrainingReport) -> str:
    history: list[dict[str, Any]] = training.result.get("history", [])
    if not history:
        return ""
    # The last point of each stretch, so that a long training keeps its shape and its end.
    stride = -(-len(history) // MOST_POINTS)
    points = history[::-1][::stride][::-1]
    steps = [point["step"] for point in points]
    accuracies = [point["validation_accuracy"] for point in points]
    chart = markdown.chart("Accuracy on the validation set", "step", steps, "accuracy", accuracies)
    rows = [
        (
            point["step"],
            f"{point['epoch']:.2f}",
            f"{point['train_loss']:.4f}",
            f"{point['validation_loss']:.4f}",
            _percent(point["validation_accuracy"]),
        )
        for point in points
    ]
    head = ("step", "epoch", "training loss", "validation loss", "accuracy")
    shown = markdown.folded("The curve in numbers", markdown.table(head, rows))
    seconds, device = training.result.get("seconds", 0), training.result.get("device", "?")
    told = f"Trained for {seconds:,.0f} s on {markdown.escaped(device)}."
    return f"## Training\n\n{told}\n\n{chart}\n\n{shown}"


def _places(settings: Settings) -> str:
    rows = []
    for environment in ENVIRONMENTS:
        folder = settings.in_environment(environment).environment_dir
        release, api, smoke = Release.find(folder), Api.find(folder), SmokeReport.find(folder)
        if release:
            tested = f"{smoke.golden_answers} golden answers" if smoke else "failed, or not reached"
            rows.append(
                (environment, release.endpoint_config_name, api.api_url if api else "", tested)
            )
    if not rows:
        return ""
    head = ("where", "endpoint configuration", "API", "smoke test")
    return f"## What was deployed\n\n{markdown.table(head, rows)}"


def _durations(report: RunReport) -> str:
    rows = [
        (record.title, record.status, f"{record.seconds:,.1f}", record.detail)
        for record in report.steps
    ]
    return f"## Steps\n\n{markdown.table(('step', 'status', 'seconds', ''), rows[:100])}"


def _cost(settings: Settings) -> str:
    try:
        made = cost.of_build(settings.in_environment("production"))
    except ConfigurationError as error:
        return f"No estimate of cost: {markdown.escaped(error)}"
    title = f"Cost on AWS: about {made.total:,.2f} USD a month"
    return markdown.folded(title, cost.as_table(made))


if __name__ == "__main__":
    sys.exit(step.main(run, __doc__))
