"""Statistics against those of others: statsmodels, scikit-learn, and the formulas of the papers."""

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.calibration import calibration_curve
from sklearn.metrics import accuracy_score, brier_score_loss, classification_report
from statsmodels.stats.contingency_tables import mcnemar as reference_mcnemar
from statsmodels.stats.proportion import proportion_confint

from model.data import LABELS, Example
from pipeline_steps.chance import mcnemar, wilson
from pipeline_steps.reliability import CalibrationTally, ReliabilityTally, at_temperature
from pipeline_steps.tally import MISTAKES, Tally

scores = st.floats(0.5, 1, exclude_max=True)
answers = st.lists(st.tuples(st.integers(0, 1), st.integers(0, 1), scores), min_size=1)


@given(st.integers(1, 5000).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_interval_is_that_of_statsmodels(counts: tuple[int, int]) -> None:
    right, rows = counts
    reference = proportion_confint(right, rows, alpha=0.05, method="wilson")
    assert wilson(right, rows) == pytest.approx(reference, abs=1e-9)


@given(st.integers(0, 300), st.integers(0, 300))
def test_mcnemar_is_that_of_statsmodels(one: int, other: int) -> None:
    table = [[1000, one], [other, 1000]]
    reference = reference_mcnemar(table, exact=True).pvalue
    assert mcnemar(one, other) == pytest.approx(reference, rel=1e-9)
    assert mcnemar(one, other) == mcnemar(other, one)


def tallied(rows: list[tuple[int, int, float]], temperature: float = 1.0) -> dict[str, Any]:
    tally = Tally(None, temperature)
    for number, (label, answered, score) in enumerate(rows):
        said = {"label": LABELS[answered], "score": score, "tokens": 2, "unknown_tokens": 0}
        tally.add(Example(f"text {number}", label), said)
    return tally.figures()


@given(answers)
def test_figures_are_those_of_scikit_learn(rows: list[tuple[int, int, float]]) -> None:
    truth, answered, _ = zip(*rows, strict=True)
    figures = tallied(rows)
    reference = classification_report(
        truth, answered, labels=[0, 1], target_names=LABELS, output_dict=True, zero_division=0.0
    )
    assert figures["accuracy"] == pytest.approx(accuracy_score(truth, answered))
    for label in LABELS:
        for name in ("precision", "recall"):
            assert figures["per_class"][label][name] == pytest.approx(reference[label][name])
        assert figures["per_class"][label]["f1"] == pytest.approx(reference[label]["f1-score"])
        assert figures["per_class"][label]["rows"] == reference[label]["support"]


@given(answers)
def test_brier_score_is_that_of_scikit_learn(rows: list[tuple[int, int, float]]) -> None:
    positive = [score if answered else 1 - score for _, answered, score in rows]
    truth = [label for label, _, _ in rows]
    reference = brier_score_loss(truth, positive, labels=[0, 1], pos_label=1)
    assert tallied(rows)["calibration"].after.brier == pytest.approx(reference)


@given(answers)
def test_calibration_error_is_that_of_the_paper(rows: list[tuple[int, int, float]]) -> None:
    score = np.array([row[2] for row in rows])
    right = np.array([row[0] == row[1] for row in rows])
    edges = np.linspace(0.5, 1, 11)
    place = np.clip(((score - 0.5) * 20).astype(int), 0, 9)
    error = sum(
        (place == m).mean() * abs(right[place == m].mean() - score[place == m].mean())
        for m in range(len(edges) - 1)
        if (place == m).any()
    )
    assert tallied(rows)["calibration"].after.ece == pytest.approx(error, abs=1e-9)


@pytest.mark.parametrize("seed", range(5))
def test_bins_are_those_of_scikit_learn(seed: int) -> None:
    # GIVEN an overconfident model. On an edge, where the two choose another bin, no score lies.
    rng = np.random.default_rng(seed)
    score = rng.uniform(0.5, 1, 2000)
    right = rng.random(2000) < score**1.5
    tally = ReliabilityTally()
    for each, was_right in zip(score.tolist(), right.tolist(), strict=True):
        tally.add(each, was_right)
    found = tally.result()
    # THEN of its 20 bins from 0 to 1 the upper half are ours
    share, confidence = calibration_curve(right, score, n_bins=20)
    rows = [each.rows for each in found.bins]
    assert [each.accuracy for each in found.bins] == pytest.approx(list(share))
    assert [each.confidence for each in found.bins] == pytest.approx(list(confidence))
    assert rows == np.histogram(score, np.linspace(0.5, 1, 11))[0].tolist()
    assert found.ece == pytest.approx(np.average(abs(share - confidence), weights=rows))


def test_perfectly_calibrated_answers_have_no_error() -> None:
    tally = ReliabilityTally()
    for number in range(1000):
        tally.add(0.75, number % 4 != 0)
    assert tally.result().ece == pytest.approx(0)
    assert [(each.rows, each.accuracy) for each in tally.result().bins] == [(1000, 0.75)]


@given(st.floats(0.02, 0.98), st.floats(0.5, 5))
def test_temperature_divides_the_logits(score: float, temperature: float) -> None:
    logit = math.log(score / (1 - score))
    expected = 1 / (1 + math.exp(-logit / temperature))
    assert at_temperature(score, temperature) == pytest.approx(expected)
    assert at_temperature(at_temperature(score, temperature), 1 / temperature) == (
        pytest.approx(score)
    )


def test_before_is_without_the_temperature() -> None:
    plain, cooled = ReliabilityTally(), CalibrationTally(2.0)
    for number, score in enumerate((0.6, 0.8, 0.99, 0.7)):
        plain.add(score, number != 3)
        cooled.add(at_temperature(score, 2.0), number != 3)
    assert cooled.result().before.ece == pytest.approx(plain.result().ece)
    assert cooled.result().before.brier == pytest.approx(plain.result().brier)


@given(st.lists(st.tuples(st.booleans(), scores), max_size=60))
def test_mistakes_are_the_surest_wrong_answers(rows: list[tuple[bool, float]]) -> None:
    figures = tallied([(1, int(right), score) for right, score in [*rows, (True, 0.5)]])
    wrong = sorted((score for right, score in rows if not right), reverse=True)
    assert [mistake.score for mistake in figures["mistakes"]] == wrong[:MISTAKES]
