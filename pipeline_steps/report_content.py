"""What is told of a judged model: the same words and numbers for the report, the summary, the card.

Whoever tells of a model takes them from here, so that none is computed or worded twice. What the
work folder holds of another model is left out.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from pipeline_steps import cost
from pipeline_steps.cost import CostEstimate
from pipeline_steps.errors import ConfigurationError
from pipeline_steps.evaluation_artefacts import BehaviourResult, Champion, Evaluation, Rule, Verdict
from pipeline_steps.model_artefacts import DataReport, ExportReport, Manifest, TrainingReport
from pipeline_steps.release_artefacts import Api, Release, SmokeReport
from pipeline_steps.setting_groups import Environment
from pipeline_steps.settings import Settings

ENVIRONMENTS: tuple[Environment, ...] = ("staging", "production")
FILE = "report.html"  # the report itself
MOST_POINTS = 60  # of a training curve
Told = TypeVar("Told", TrainingReport, ExportReport, Manifest)


@dataclass(frozen=True)
class Figure:
    """One number of the model, beside the bar and the champion's where they have it, as text."""

    name: str
    value: str
    bar: str = ""
    champion: str = ""


@dataclass(frozen=True)
class Place:
    """Where a model was deployed, and whether it passed its test there."""

    environment: str
    endpoint: str
    api_url: str
    tested: str


@dataclass(frozen=True)
class Content:
    """All that is known of the judged model; None is what nobody has written yet.

    `file` is the name of the file that it was judged on, where that is not its validation split.
    """

    settings: Settings
    evaluation: Evaluation
    data: DataReport | None
    training: TrainingReport | None
    exported: ExportReport | None
    manifest: Manifest | None
    places: list[Place]
    cost: CostEstimate | None
    cost_note: str
    file: str | None = None


def gather(settings: Settings) -> Content:
    """Read the work folder.

    Raises:
        ConfigurationError: there is no evaluation, or it is of another candidate.
    """
    folder = settings.work_dir
    evaluation = Evaluation.load(folder)
    exported = _of(evaluation, ExportReport.find(folder))
    if exported and exported.candidate_hash != evaluation.candidate_hash:
        raise ConfigurationError(
            f"{folder / Evaluation.FILE} judges another candidate than the one beside it. "
            "Run `python -m pipeline_steps.evaluate` with the same flags first."
        )
    data = DataReport.find(folder)
    made, note = estimated_cost(settings)
    return Content(
        settings=settings,
        evaluation=evaluation,
        data=data if data and data.data_hash == evaluation.data_hash else None,
        training=_of(evaluation, TrainingReport.find(folder / "checkpoint")),
        exported=exported,
        manifest=_of(evaluation, Manifest.find(folder)),
        places=places(settings, evaluation.model_version),
        cost=made,
        cost_note=note,
    )


def _of(evaluation: Evaluation, found: Told | None) -> Told | None:
    return found if found and found.model_version == evaluation.model_version else None


def percent(share: float) -> str:
    """A share as people read it; no line breaks before its sign."""
    return f"{100 * share:.1f}\u00a0%"


def interval(bounds: Sequence[float]) -> str:
    """A 95 % interval as people read it."""
    low, high = bounds
    return f"{100 * low:.1f} to {percent(high)}"


def verdict(evaluation: Evaluation) -> tuple[Verdict, str]:
    """Whether the model may ship, and why, in a line."""
    failed, count = evaluation.failed, len(evaluation.rules)
    if failed and evaluation.override:
        broken = "a rule does not hold" if len(failed) == 1 else f"{len(failed)} rules do not hold"
        return "warn", f"A person lets it ship though {broken}: {evaluation.override}"
    if failed:
        more = f" And {len(failed) - 1} more." if len(failed) > 1 else ""
        return "fail", f"It does not ship: {failed[0].detail}{more}"
    warned = sum(rule.verdict == "warn" for rule in evaluation.rules)
    if warned:
        warns = "warns" if warned == 1 else "warn"
        return "warn", f"It may ship: no rule forbids it, {warned} of {count} {warns}."
    return "pass", f"It may ship: all {count} rules hold."


def verdict_on_file(evaluation: Evaluation) -> tuple[Verdict, str]:
    """How the model does on somebody's own rows, in a line: it ships, or not, by other ones."""
    failed, count = evaluation.failed, len(evaluation.rules)
    if failed:
        do = "does" if len(failed) == 1 else "do"
        return "fail", f"{len(failed)} of {count} rules {do} not hold here: {failed[0].detail}"
    warned = sum(rule.verdict == "warn" for rule in evaluation.rules)
    if warned:
        warns = "warns" if warned == 1 else "warn"
        return "warn", f"No rule fails here, {warned} of {count} {warns}."
    return "pass", f"All {count} rules hold here."


def ranked(rules: Sequence[Rule]) -> list[Rule]:
    """The rules, the worst verdicts first."""
    return sorted(rules, key=lambda rule: ("fail", "warn", "pass").index(rule.verdict))


def quality(evaluation: Evaluation, min_accuracy: float) -> list[Figure]:
    """How well the model answers, against the bar, and the champion where there is one."""
    met = "met" if evaluation.accuracy >= min_accuracy else "not met"
    champion = evaluation.champion or Champion()
    found = [
        Figure(
            "accuracy",
            percent(evaluation.accuracy),
            f"{percent(min_accuracy)} ({met})",
            _known(champion.accuracy, percent),
        ),
        Figure("95 % interval", interval(evaluation.accuracy_interval)),
        Figure("F1 of POSITIVE", percent(evaluation.f1), "", _known(champion.f1, percent)),
        Figure("sentences", f"{evaluation.rows:,}"),
    ]
    if evaluation.fp32_accuracy is not None:
        found.insert(1, Figure("accuracy in fp32", percent(evaluation.fp32_accuracy)))
    return found


def figures(evaluation: Evaluation, min_accuracy: float) -> list[Figure]:
    """How well the model answers, how far its scores may be believed, and what that takes.

    Each with its bar, where a rule has one, and the champion's on the same rows, where it is known.
    """
    found = quality(evaluation, min_accuracy)
    champion = evaluation.champion or Champion()
    if evaluation.calibration:
        now = evaluation.calibration.after
        found += [
            _ruled(evaluation, "calibration error", now.ece, "{:.3f}", champion.ece),
            _ruled(evaluation, "Brier score", now.brier, "{:.3f}", champion.brier),
        ]
    if evaluation.footprint:
        size, time = evaluation.footprint.megabytes, evaluation.footprint.median_milliseconds
        found += [
            _ruled(evaluation, "size", size, "{:.1f} MB"),
            _ruled(evaluation, "latency", time, "{:.1f} ms"),
        ]
    return found


def _ruled(
    evaluation: Evaluation, name: str, value: float, form: str, champion: float | None = None
) -> Figure:
    """A figure that the rule of its name holds against a bar, where that rule is on."""
    rule = next((rule for rule in evaluation.rules if rule.name == name), None)
    bar = ""
    if rule and rule.bar is not None:
        bar = f"{form.format(rule.bar)} ({'met' if rule.verdict == 'pass' else 'not met'})"
    return Figure(name, form.format(value), bar, _known(champion, form.format))


def _known(value: float | None, form: Callable[[float], str]) -> str:
    return "" if value is None else form(value)


def by_capability(evaluation: Evaluation) -> dict[str, list[BehaviourResult]]:
    """The behaviour tests by what they test, those that fail most first."""
    found: dict[str, list[BehaviourResult]] = {}
    for test in sorted(evaluation.behaviour, key=lambda test: test.pass_rate):
        found.setdefault(test.capability, []).append(test)
    return found


def pass_rate(tests: Sequence[BehaviourResult]) -> float:
    """The share of all their cases that passed."""
    return 1 - sum(test.failed for test in tests) / sum(test.cases for test in tests)


def champion_note(champion: Champion | None) -> str:
    """How the model does against the one to beat, in a sentence, or why there is none."""
    if champion is None or champion.accuracy is None:
        reason = champion.reason if champion else None
        return reason or "There is no champion to compare with."
    return (
        f"Against {champion.model_version} on the same {champion.rows:,} sentences: "
        f"{champion.only_candidate_right} that only this model answers rightly, "
        f"{champion.only_champion_right} that only the champion does "
        f"(McNemar's test, p = {champion.p_value:.3f})."
    )


def curve_points(training: TrainingReport) -> list[dict[str, Any]]:
    """The evaluations during training: the last of each stretch, where there are many.

    So a long training keeps its shape, and its end.
    """
    history: list[dict[str, Any]] = training.result.get("history", [])
    stride = max(1, -(-len(history) // MOST_POINTS))
    return history[::-1][::stride][::-1]


def curve_table(points: Sequence[Mapping[str, Any]]) -> tuple[list[str], list[list[str]]]:
    """The curve in numbers: head and rows; REINFORCE has three columns more."""
    columns: dict[str, tuple[str, str]] = {
        "step": ("step", "{:,}"),
        "epoch": ("epoch", "{:.2f}"),
        "train_loss": ("training loss", "{:.4f}"),
        "validation_loss": ("validation loss", "{:.4f}"),
        "validation_accuracy": ("accuracy", "{:.2%}"),
        "reward": ("reward", "{:.3f}"),
        "kept_share": ("kept", "{:.1%}"),
        "entropy": ("entropy", "{:.3f}"),
    }
    used = {
        key: told
        for key, told in columns.items()
        if all(point.get(key) is not None for point in points)
    }
    rows = [[form.format(point[key]) for key, (_, form) in used.items()] for point in points]
    return [name for name, _ in used.values()], rows


def training_note(training: TrainingReport) -> str:
    """How the training went, in a line."""
    result = training.result
    where = training.trained_in.get("instance") or result.get("device", "?")
    return (
        f"Trained for {result.get('seconds', 0):,.0f} s on {where}; the model of step "
        f"{result.get('best_step', 0):,} was kept, the best on the validation set."
    )


def confusion(evaluation: Evaluation) -> tuple[list[str], list[list[int]]]:
    """The labels, and for each how often each was answered."""
    labels = list(evaluation.confusion_matrix)
    counts = evaluation.confusion_matrix
    return labels, [[counts[want].get(got, 0) for got in labels] for want in labels]


def places(settings: Settings, model_version: str | None = None) -> list[Place]:
    """Where a model was deployed; given a version, only where it is that one."""
    found = []
    for environment in ENVIRONMENTS:
        folder = settings.in_environment(environment).environment_dir
        release, api, smoke = Release.find(folder), Api.find(folder), SmokeReport.find(folder)
        if release and model_version in (None, release.model_version):
            tested = f"{smoke.golden_answers} golden answers" if smoke else "failed, or not reached"
            url = api.api_url if api else ""
            found.append(Place(environment, release.endpoint_config_name, url, tested))
    return found


def estimated_cost(settings: Settings) -> tuple[CostEstimate | None, str]:
    """What a month costs, or why that is not known."""
    try:
        made = cost.of_build(settings.in_environment("production"))
    except ConfigurationError as error:  # a price that is not known costs nobody the rest
        return None, f"No estimate of cost: {error}"
    return made, f"Cost on AWS: about {made.total:,.2f} USD a month"
