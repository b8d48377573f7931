"""Tell a run on its page: verdict, figures, curve, mistakes, where it is, and what it costs.

    python -m pipeline_steps.summary --profile sst2

Reads what the steps wrote; prints Markdown, and on GitHub appends it to the job's summary. It is
the report in short, from the same words and numbers, and links to it.
"""

import sys

from pipeline_steps import cost, github, markdown, report_content, step, workflow_run
from pipeline_steps.aws import Clients
from pipeline_steps.evaluation_artefacts import Evaluation
from pipeline_steps.model_artefacts import TrainingReport
from pipeline_steps.release_artefacts import RunReport
from pipeline_steps.report_content import percent
from pipeline_steps.settings import Settings
from pipeline_steps.step import Outcome

MOST_ROWS = 20  # of rules, slices and tests
MOST_MISTAKES = 10  # the report has more


def run(settings: Settings, clients: Clients) -> Outcome:
    """Print the summary, and append it to the page of the GitHub job."""
    if workflow_run.is_here():
        report = workflow_run.report(settings.profile)
    else:
        report = RunReport.load(settings.work_dir)
    text = render(settings, report)
    print(text)
    github.add_summary(text)
    return Outcome("done", f"{len(text):,} characters")


def render(settings: Settings, report: RunReport) -> str:
    """The page; bounded, whatever the files hold, and without what a former run has left there."""
    folder = settings.work_dir
    evaluation = Evaluation.find(folder) if report.metrics else None
    training = TrainingReport.find(folder / "checkpoint")
    sections = [
        _verdict(report),
        _link(settings, report),
        *(_judged(settings, evaluation) if evaluation else ()),
        _curve(training) if training and training.model_version == report.model_version else "",
        _places(settings, report),
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


def _link(settings: Settings, report: RunReport) -> str:
    """Where the whole report is: on GitHub an artifact that opens in the browser."""
    if report.report_url:
        return f"[The report of the model]({report.report_url}), with all of this and more"
    path = settings.work_dir / report_content.FILE
    written = report.metrics and path.is_file()
    return f"The report of the model: {markdown.escaped(path)}" if written else ""


def _judged(settings: Settings, evaluation: Evaluation) -> list[str]:
    return [
        _rules(evaluation),
        _figures(settings, evaluation),
        _confusion(evaluation),
        _slices(evaluation),
        _behaviour(evaluation),
        _mistakes(evaluation),
    ]


def _rules(evaluation: Evaluation) -> str:
    """The rules that do not hold, or warn; that the others hold is said by the line above them."""
    _, line = report_content.verdict(evaluation)
    broken = [rule for rule in evaluation.rules if rule.verdict != "pass"]
    rows = [
        ({"fail": "❌", "warn": "⚠️"}[rule.verdict], rule.name, rule.detail)
        for rule in report_content.ranked(broken)[:MOST_ROWS]
    ]
    shown = f"\n\n{markdown.table(('', 'rule', 'what was found'), rows)}" if rows else ""
    return f"## Judgement\n\n{markdown.escaped(line)}{shown}"


def _figures(settings: Settings, evaluation: Evaluation) -> str:
    rows = [
        (each.name, each.value, each.bar, each.champion)
        for each in report_content.figures(evaluation, settings.gate.min_accuracy)
    ]
    note = markdown.escaped(report_content.champion_note(evaluation.champion))
    head = ("", "this model", "bar", "champion")
    return f"## Figures\n\n{markdown.table(head, rows)}\n\n{note}"


def _confusion(evaluation: Evaluation) -> str:
    labels, counts = report_content.confusion(evaluation)
    rows = [(want, *row[:10]) for want, row in zip(labels[:10], counts, strict=False)]
    head = ["is \\ was answered", *labels[:10]]
    return f"## Right and wrong\n\n{markdown.table(head, rows)}"


def _slices(evaluation: Evaluation) -> str:
    rows = [
        (each.name, each.description, f"{each.rows:,}", percent(each.accuracy or 0),
         report_content.interval(each.interval))
        for each in evaluation.slices[:MOST_ROWS]
        if each.interval
    ]  # fmt: skip
    if not rows:
        return ""
    head = ("slice", "what it is", "sentences", "accuracy", "95 % interval")
    return markdown.folded(f"{len(rows)} slices", markdown.table(head, rows))


def _behaviour(evaluation: Evaluation) -> str:
    if not evaluation.behaviour:
        return ""
    rows = [
        (name, len(tests), f"{sum(test.cases for test in tests):,}",
         percent(report_content.pass_rate(tests)))
        for name, tests in report_content.by_capability(evaluation).items()
    ]  # fmt: skip
    share = percent(report_content.pass_rate(evaluation.behaviour))
    shown = markdown.table(("what is tested", "tests", "cases", "passed"), rows[:MOST_ROWS])
    return markdown.folded(f"Behaviour: {share} of the cases pass", shown)


def _mistakes(evaluation: Evaluation) -> str:
    rows = [
        (mistake.text, mistake.label, mistake.answered, percent(mistake.score))
        for mistake in evaluation.mistakes[:MOST_MISTAKES]
    ]
    if not rows:
        return ""
    shown = markdown.table(("sentence", "is", "was answered", "sure to"), rows)
    return markdown.folded(f"The {len(rows)} worst mistakes", shown)


def _curve(training: TrainingReport) -> str:
    points = report_content.curve_points(training)
    if not points:
        return ""
    steps = [point["step"] for point in points]
    accuracies = [point["validation_accuracy"] for point in points]
    chart = markdown.chart("Accuracy on the validation set", "step", steps, "accuracy", accuracies)
    shown = markdown.folded(
        "The curve in numbers", markdown.table(*report_content.curve_table(points))
    )
    told = markdown.escaped(report_content.training_note(training))
    return f"## Training\n\n{told}\n\n{chart}\n\n{shown}"


def _places(settings: Settings, report: RunReport) -> str:
    reached = {record.environment for record in report.steps if record.status != "skipped"}
    rows = [
        (place.environment, place.endpoint, place.api_url, place.tested)
        for place in report_content.places(settings, report.model_version)
        if place.environment in reached
    ]
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
    made, note = report_content.estimated_cost(settings)
    return markdown.folded(note, cost.as_table(made)) if made else markdown.escaped(note)


if __name__ == "__main__":
    sys.exit(step.main(run, __doc__))
