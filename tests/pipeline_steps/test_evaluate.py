"""The gate: figures that a hand can check, and a bar that stops what is below it."""

import dataclasses
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from model.behaviour import BehaviourTest, Case, behaviour_tests
from model.data import LABELS, Example, Splits, read_splits
from pipeline_steps import (
    behaviour,
    evaluate,
    gate_rationales,
    notify,
    package_model,
    run_report,
    summary,
)
from pipeline_steps.aws import Clients
from pipeline_steps.errors import GateNotMetError, TrainingFailedError
from pipeline_steps.evaluate import measure
from pipeline_steps.evaluation_artefacts import Evaluation
from pipeline_steps.model_artefacts import ExportReport, Manifest
from pipeline_steps.release_artefacts import StepRecord
from pipeline_steps.setting_groups import GateSettings
from pipeline_steps.settings import Settings

EXPORTED = ExportReport("0123456789ab", "pytorch", 1, {}, {})


def measured(pairs: list[tuple[int, int]]) -> Evaluation:
    """Evaluate (label, predicted label) pairs."""
    examples = [Example(str(number), want) for number, (want, _) in enumerate(pairs)]
    predictions = [
        {"label": LABELS[got], "score": 0.9, "tokens": 2, "unknown_tokens": got} for _, got in pairs
    ]
    return measure(Splits([], examples), predictions, EXPORTED, "d" * 64)


def test_figures_are_those_of_a_hand() -> None:
    # GIVEN 6 true positives, 2 false positives, 1 false negative, 3 true negatives
    evaluation = measured([(1, 1)] * 6 + [(0, 1)] * 2 + [(1, 0)] + [(0, 0)] * 3)
    assert evaluation.accuracy == 9 / 12
    assert evaluation.per_class["POSITIVE"]["precision"] == 6 / 8
    assert evaluation.per_class["POSITIVE"]["recall"] == pytest.approx(6 / 7)
    assert evaluation.per_class["NEGATIVE"]["precision"] == 3 / 4
    assert evaluation.per_class["NEGATIVE"]["recall"] == 3 / 5
    assert evaluation.f1 == pytest.approx(2 * 6 / (2 * 6 + 2 + 1))
    assert evaluation.confusion_matrix == {
        "NEGATIVE": {"NEGATIVE": 3, "POSITIVE": 2},
        "POSITIVE": {"NEGATIVE": 1, "POSITIVE": 6},
    }


def test_baseline_is_of_the_answers() -> None:
    # GIVEN 3 positive answers of 0.9, and 1 negative one; of a text without tokens nothing is said
    examples = [Example("ab", 1), Example("abcd", 0), Example("abcdef", 1), Example("\u200b", 0)]
    said = [("POSITIVE", 4, 1), ("POSITIVE", 2, 0), ("POSITIVE", 2, 1), ("NEGATIVE", 0, 0)]
    predictions = [
        {"label": label, "score": 0.95, "tokens": tokens, "unknown_tokens": unknown}
        for label, tokens, unknown in said
    ]
    baseline = measure(Splits([], examples), predictions, EXPORTED, "d" * 64).baseline
    assert baseline is not None
    assert baseline.labels == {"NEGATIVE": 1, "POSITIVE": 3}
    assert baseline.positive_histogram == [1, 0, 0, 0, 0, 0, 0, 0, 0, 3]
    assert baseline.mean_characters == (2 + 4 + 6 + 1) / 4
    assert baseline.unknown_token_share == pytest.approx((0.25 + 0 + 0.5) / 3)


def test_worst_mistakes_are_the_surest() -> None:
    # GIVEN sixty wrong answers among right ones that are surer
    examples = [Example(f"text {number}", number % 2) for number in range(120)]
    predictions = [
        {
            "label": LABELS[example.label if number >= 60 else 1 - example.label],
            "score": 0.5 + number / 300,
            "tokens": 2,
            "unknown_tokens": 0,
        }
        for number, example in enumerate(examples)
    ]
    mistakes = measure(Splits([], examples), predictions, EXPORTED, "d" * 64).mistakes
    assert [mistake.text for mistake in mistakes] == [f"text {n}" for n in range(59, 9, -1)]
    assert (mistakes[0].label, mistakes[0].answered) == ("POSITIVE", "NEGATIVE")
    assert mistakes[0].score == pytest.approx(0.5 + 59 / 300)


@given(st.lists(st.tuples(st.integers(0, 1), st.integers(0, 1)), min_size=1))
def test_interval_holds_the_accuracy(pairs: list[tuple[int, int]]) -> None:
    evaluation = measured(pairs)
    n, p, z = len(pairs), evaluation.accuracy, 1.959963984540054
    # Wilson 1927, equation for the bounds
    centre = (p + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * (p * (1 - p) / n + z * z / (4 * n * n)) ** 0.5
    low, high = evaluation.accuracy_interval
    assert low == pytest.approx(max(0, centre - half), abs=1e-9)
    assert high == pytest.approx(min(1, centre + half), abs=1e-9)
    assert sum(sum(row.values()) for row in evaluation.confusion_matrix.values()) == n


def test_evaluation_is_of_the_whole_split(packaged: Settings) -> None:
    evaluation = Evaluation.load(packaged.work_dir)
    validation = read_splits("demo").validation
    assert evaluation.rows == len(validation)
    assert evaluation.candidate_hash == ExportReport.load(packaged.work_dir).candidate_hash
    assert len(evaluation.golden) == evaluate.GOLDEN_ANSWERS
    assert {answer.text for answer in evaluation.golden} <= {e.sentence for e in validation}
    assert evaluation.baseline is not None
    assert evaluation.baseline.rows == sum(evaluation.baseline.labels.values()) == len(validation)
    assert evaluation.baseline.unknown_token_share is not None


def test_cost_of_int8_is_stated(packaged: Settings) -> None:
    evaluation = Evaluation.load(packaged.work_dir)
    exact = ExportReport.load(packaged.work_dir).precisions[0].accuracy["validation"]
    lost = 100 * (exact - evaluation.accuracy)
    assert evaluation.metrics["points_lost"] == pytest.approx(lost)
    assert f"int8 loses {lost:.2f} points against fp32" in evaluate.run(packaged, Clients()).detail


def test_same_candidate_is_not_evaluated_twice(packaged: Settings) -> None:
    assert evaluate.run(packaged, Clients()).status == "reused"


def test_rationales_are_measured_when_asked(
    packaged: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    few = read_splits("demo")
    few = Splits(few.train, few.validation[:30])
    monkeypatch.setattr(gate_rationales, "read_checked_data", lambda _: few)
    assert Evaluation.load(packaged.work_dir).rationales is None
    asked = dataclasses.replace(packaged.gate, rationales=True)
    asking = dataclasses.replace(packaged, gate=asked)
    assert evaluate.run(asking, Clients()).status == "reused"
    found = Evaluation.load(packaged.work_dir).rationales
    assert found is not None
    assert found["gate_auc"] is None  # no sentence of the demo is a single word
    assert 0 < found["effective_share"] <= 1
    assert -1 <= found["comprehensiveness"] <= 1
    evaluate.run(packaged, Clients())
    assert Evaluation.load(packaged.work_dir).rationales == found


def test_bar_stops_a_worse_model(packaged: Settings) -> None:
    strict = dataclasses.replace(packaged, gate=GateSettings(min_accuracy=1.0))
    message = r"Accuracy 0\.\d{3} is below the bar of 1\.000 \(min_accuracy in \[demo\.gate\]\)"
    with pytest.raises(GateNotMetError, match=message):
        evaluate.run(strict, Clients())


def test_changed_candidate_is_refused(packaged: Settings) -> None:
    (packaged.work_dir / "evaluation.json").unlink()
    (packaged.work_dir / "candidate" / "config.json").write_text("{}", encoding="utf-8")
    with pytest.raises(TrainingFailedError, match="not what export wrote"):
        evaluate.run(packaged, Clients())


def test_mistakes_show_what_the_gate_saw(packaged: Settings) -> None:
    mistakes = Evaluation.load(packaged.work_dir).mistakes
    assert mistakes
    for mistake in mistakes:
        assert mistake.explanation
        for token in mistake.explanation:
            assert mistake.text[token.start : token.end] == token.text
            assert 0 <= token.gate <= 1


def test_every_rule_has_its_verdict(packaged: Settings) -> None:
    evaluation = Evaluation.load(packaged.work_dir)
    names = {rule.name for rule in evaluation.rules}
    assert names >= {"accuracy", "lower bound", "slice: negation", "size", "latency"}
    assert evaluation.footprint is not None
    size = sum(f.stat().st_size for f in (packaged.work_dir / "candidate").rglob("*.*"))
    assert evaluation.footprint.megabytes == pytest.approx(size / 1e6)
    # WHEN a bar is moved, THEN only the verdicts are made anew
    stricter = dataclasses.replace(packaged, gate=GateSettings(min_accuracy=0, max_megabytes=0))
    assert evaluate.run(stricter, Clients()).status == "reused"
    rules = {rule.name: rule.verdict for rule in Evaluation.load(packaged.work_dir).rules}
    assert rules["size"] == "warn"


def test_override_lets_it_pass_and_is_recorded(
    packaged: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # GIVEN a model below the bar, and a person who says why it may go on
    monkeypatch.setenv("GITHUB_OUTPUT", str(tmp_path / "outputs"))
    gate = GateSettings(min_accuracy=1.0, override="its successor is in training")
    overridden = dataclasses.replace(packaged, gate=gate)
    assert "OVERRIDDEN (accuracy" in evaluate.run(overridden, Clients()).detail
    assert "override=its successor is in training" in (tmp_path / "outputs").read_text()
    package_model.run(overridden, Clients())
    # THEN the manifest, the run's record, its page and its mail say so
    assert Manifest.load(packaged.work_dir).override == gate.override
    report = run_report.compose(overridden, [StepRecord("export", "done", 1)], None)
    assert report.override == gate.override
    page = summary.render(overridden, report)
    assert "was overridden:** its successor is in training" in page
    assert (
        "Gate overridden: its successor is in training"
        in notify.compose(overridden, report).get_body(("plain",)).get_content()
    )  # type: ignore[union-attr]
    # AND without it the same model is refused again
    strict = dataclasses.replace(packaged, gate=GateSettings(min_accuracy=1.0))
    with pytest.raises(GateNotMetError):
        evaluate.run(strict, Clients())
    with pytest.raises(GateNotMetError):
        package_model.run(strict, Clients())


def test_override_of_a_good_model_is_not_told(packaged: Settings) -> None:
    gate = GateSettings(min_accuracy=0, override="to be sure")
    evaluate.run(dataclasses.replace(packaged, gate=gate), Clients())
    assert Evaluation.load(packaged.work_dir).overridden is None


def test_failing_behaviour_shows_its_worst_cases() -> None:
    test = BehaviourTest(
        "praise", "MFT", "vocabulary", tuple(Case(f"t{n}", label=1) for n in range(10))
    )
    result = behaviour.result_of(test, {f"t{n}": n / 10 + 0.05 for n in range(10)})
    assert (result.cases, result.failed, result.pass_rate) == (10, 5, 0.5)
    assert [case.text for case in result.worst] == ["t0", "t1", "t2", "t3", "t4"]
    assert result.worst[0].score == pytest.approx(0.95)
    assert (result.worst[0].expected, result.worst[0].answered) == ("POSITIVE", "NEGATIVE")


def test_behaviour_is_asked_of_the_candidate(packaged: Settings) -> None:
    results = Evaluation.load(packaged.work_dir).behaviour
    assert [result.name for result in results] == [test.name for test in behaviour_tests()]
    for result in results:
        assert len(result.worst) == min(result.failed, behaviour.WORST)
