"""The rules that a model must keep before anything of it goes further."""

import dataclasses
from collections.abc import Iterator

from pipeline_steps.errors import GateNotMetError
from pipeline_steps.evaluation_artefacts import Evaluation, Rule, SliceResult, Verdict
from pipeline_steps.setting_groups import Severity
from pipeline_steps.settings import Settings

SIGNIFICANT = 0.05  # a p-value below it is not taken for chance


def judged(evaluation: Evaluation, settings: Settings) -> Evaluation:
    """The same figures with the verdict of each rule, as `settings` set the bars."""
    return dataclasses.replace(
        evaluation,
        rules=list(rules(evaluation, settings)),
        override=settings.gate.override.strip() or None,
    )


def refuse_failed(evaluation: Evaluation, settings: Settings) -> None:
    """Let a good enough model pass, and one that a person lets pass.

    Raises:
        GateNotMetError: a rule says fail; names each that does.
    """
    failed = [rule for rule in rules(evaluation, settings) if rule.verdict == "fail"]
    if failed and not evaluation.override:
        raise GateNotMetError(
            f"{' '.join(rule.detail for rule in failed)} Nothing was deployed. "
            f"See {settings.work_dir / Evaluation.FILE}."
        )


def rules(evaluation: Evaluation, settings: Settings) -> Iterator[Rule]:
    """Each rule that is on and has a figure, with its verdict."""
    yield from _accuracy(evaluation, settings)
    yield from _champion(evaluation, settings)
    yield from _slices(evaluation, settings)
    yield from _behaviour(evaluation, settings)
    yield from _reliability(evaluation, settings)
    yield from _quantization(evaluation, settings)
    yield from _footprint(evaluation, settings)


def _accuracy(evaluation: Evaluation, settings: Settings) -> Iterator[Rule]:
    accuracy, bar = evaluation.accuracy, settings.gate.min_accuracy
    met = accuracy >= bar
    side = "reaches" if met else "is below"
    where = f"(min_accuracy in [{settings.profile}.gate])"
    detail = f"Accuracy {accuracy:.3f} {side} the bar of {bar:.3f} {where}."
    yield Rule("accuracy", "pass" if met else "fail", accuracy, bar, detail)
    low, high = evaluation.accuracy_interval
    yield from _rule(
        "lower bound",
        settings.gate.lower_bound,
        low >= bar,
        (low, bar),
        f"With {evaluation.rows:,} sentences the accuracy may be anything from {low:.3f} to "
        f"{high:.3f}; the bar is {bar:.3f} {where}.",
    )


def _champion(evaluation: Evaluation, settings: Settings) -> Iterator[Rule]:
    """Worse by more than the margin fails where chance does not explain it; else it warns."""
    found, severity = evaluation.champion, settings.gate.champion
    if found is None or severity == "off":
        return
    if found.accuracy is None or found.p_value is None:
        # Without a model to beat there is nothing to warn of; with one that is gone there is.
        verdict: Verdict = "warn" if found.model_version else "pass"
        yield Rule("champion", verdict, None, None, found.reason or "")
        return
    lost, margin = 100 * (found.accuracy - evaluation.accuracy), settings.gate.max_points_below
    detail = (
        f"Accuracy {evaluation.accuracy:.3f} against {found.accuracy:.3f} of {found.model_version} "
        f"on the same {found.rows:,} sentences: {found.only_candidate_right} only this model has "
        f"right, {found.only_champion_right} only that one (McNemar p = {found.p_value:.2g}). It "
        f"may be {margin:g} points worse, and more by chance (max_points_below)."
    )
    by_chance = found.p_value >= SIGNIFICANT
    softened: Severity = "warn" if by_chance else severity
    # But for the last bits of the difference.
    yield from _rule("champion", softened, lost <= margin + 1e-9, (-lost, -margin), detail)


def _slices(evaluation: Evaluation, settings: Settings) -> Iterator[Rule]:
    """A slice fails where chance does not explain that it is below; else it warns."""
    for each in evaluation.slices:
        yield from _slice(each, settings.gate.slices, settings.gate.min_slice_accuracy)


def _slice(each: SliceResult, severity: Severity, bar: float) -> Iterator[Rule]:
    if each.accuracy is None or each.interval is None:
        return
    low, high = each.interval
    explained = high >= bar
    detail = (
        f"{each.name} ({each.description}): {each.accuracy:.3f} on {each.rows:,} sentences, "
        f"{low:.3f} to {high:.3f} by chance; the bar is {bar:.3f} (min_slice_accuracy)."
    )
    softened: Severity = "warn" if severity == "fail" and explained else severity
    yield from _rule(
        f"slice: {each.name}", softened, each.accuracy >= bar, (each.accuracy, bar), detail
    )


def _behaviour(evaluation: Evaluation, settings: Settings) -> Iterator[Rule]:
    """A rule a capability: the cases of all its tests together."""
    bar = settings.gate.min_behaviour
    for capability in dict.fromkeys(result.capability for result in evaluation.behaviour):
        tests = [each for each in evaluation.behaviour if each.capability == capability]
        cases = sum(each.cases for each in tests)
        passed = 1 - sum(each.failed for each in tests) / cases
        worst = min(tests, key=lambda each: each.pass_rate)
        detail = (
            f"{capability}: {passed:.1%} of {cases:,} cases pass, at least {bar:.1%} is asked for "
            f"(min_behaviour); the worst of {len(tests)} tests, {worst.name!r}, passes "
            f"{worst.pass_rate:.1%}."
        )
        name, severity = f"behaviour: {capability}", settings.gate.behaviour
        yield from _rule(name, severity, passed >= bar, (passed, bar), detail)


def _reliability(evaluation: Evaluation, settings: Settings) -> Iterator[Rule]:
    if evaluation.calibration is None:
        return
    gate, now = settings.gate, evaluation.calibration.after
    then = evaluation.calibration.before
    for name, key, value, bar, before in (
        ("calibration error", "max_ece", now.ece, gate.max_ece, then.ece),
        ("Brier score", "max_brier", now.brier, gate.max_brier, then.brier),
    ):
        detail = (
            f"The {name} is {value:.3f} ({before:.3f} before the temperature of "
            f"{evaluation.calibration.temperature:.2f}), at most {bar:.3f} is asked for ({key})."
        )
        yield from _rule(name, gate.reliability, value <= bar, (value, bar), detail)


def _quantization(evaluation: Evaluation, settings: Settings) -> Iterator[Rule]:
    lost, bar = evaluation.points_lost, settings.export.max_points_lost
    if lost is None:
        return
    detail = (
        f"The precision that ships loses {lost:.2f} points against fp32, at most {bar:.2f} may be "
        "lost (max_points_lost)."
    )
    # The same two accuracies as export compared, but for the last bits of the difference.
    yield from _rule(
        "quantization", settings.gate.quantization, lost <= bar + 1e-9, (lost, bar), detail
    )


def _footprint(evaluation: Evaluation, settings: Settings) -> Iterator[Rule]:
    if evaluation.footprint is None:
        return
    gate, found = settings.gate, evaluation.footprint
    for name, unit, value, bar, key in (
        ("size", "MB", found.megabytes, gate.max_megabytes, "max_megabytes"),
        ("latency", "ms", found.median_milliseconds, gate.max_milliseconds, "max_milliseconds"),
    ):
        detail = f"{name}: {value:.1f} {unit}, at most {bar:g} {unit} is asked for ({key})."
        yield from _rule(name, gate.footprint, value <= bar, (value, bar), detail)


def _rule(
    name: str, severity: Severity, met: bool, figures: tuple[float, float], detail: str
) -> Iterator[Rule]:
    """The rule, unless it is off."""
    if severity != "off":
        verdict: Verdict = "pass" if met else severity
        yield Rule(name, verdict, *figures, detail)
