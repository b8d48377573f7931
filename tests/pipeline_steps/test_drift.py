"""Drift: the index is what its definition says, chance alone hardly raises it, a shift does."""

import math

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from scipy.stats import chi2

from model import data
from pipeline_steps import drift
from pipeline_steps.drift import Answer

COUNTS = st.integers(0, 10_000)
HISTOGRAMS = st.lists(COUNTS, min_size=drift.BINS, max_size=drift.BINS)
# As a sure model answers, a less sure one, and one that says anything.
SHAPES = {
    "sure": [42, 3, 2, 1.5, 1, 1, 1.5, 2, 4, 42],
    "very sure": [490, 4, 2, 1, 1, 1, 1, 2, 4, 494],
    "flat": [1.0] * 10,
}


@given(HISTOGRAMS)
def test_equal_histograms_have_no_distance(counts: list[int]) -> None:
    assert drift.psi(counts, counts) == 0


@given(HISTOGRAMS, HISTOGRAMS)
def test_index_is_symmetric_and_not_negative(one: list[int], other: list[int]) -> None:
    assert drift.psi(one, other) == pytest.approx(drift.psi(other, one))
    assert drift.psi(one, other) >= 0


@given(HISTOGRAMS, HISTOGRAMS, st.permutations(range(drift.BINS)))
def test_order_of_bins_does_not_matter(one: list[int], other: list[int], order: list[int]) -> None:
    shuffled = drift.psi([one[i] for i in order], [other[i] for i in order])
    assert shuffled == pytest.approx(drift.psi(one, other))


@given(HISTOGRAMS, st.integers(0, drift.BINS - 1))
def test_other_shares_have_a_distance(counts: list[int], position: int) -> None:
    assume(sum(counts) > counts[position])
    moved = list(counts)
    moved[position] += 1 + sum(counts)
    assert drift.psi(counts, moved) > 0


def test_index_is_that_of_a_hand() -> None:
    # Half a row is added to each of the two bins: shares 0.25 and 0.75, 0.75 and 0.25
    assert drift.psi([0, 1], [1, 0]) == pytest.approx(2 * 0.5 * math.log(3))


@pytest.mark.parametrize("bins", [2, drift.BINS])
def test_chance_is_the_quantile_of_chi_squared(bins: int) -> None:
    exact = chi2.ppf(1 - drift.CHANCE, bins - 1) * (1 / 872 + 1 / 200)
    assert drift.chance_psi(bins, 872, 200) == pytest.approx(exact, rel=0.04)


def sample(rng: np.random.Generator, shape: list[float], rows: int) -> list[int]:
    counts: list[int] = rng.multinomial(rows, np.array(shape) / sum(shape)).tolist()
    return counts


@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES)
@pytest.mark.parametrize(("evaluated", "live"), [(872, 200), (100, 200), (872, 20), (872, 2000)])
def test_chance_alone_hardly_alarms(shape: list[float], evaluated: int, live: int) -> None:
    rng = np.random.default_rng(evaluated + live)
    levels = [
        drift.compare(sample(rng, shape, evaluated), sample(rng, shape, live), 0.25).level
        for _ in range(400)
    ]
    # One in a thousand each time is meant; 3 of 400 would have a probability below one in 100.
    assert levels.count("drift") <= 2
    assert levels.count("some shift") <= 2


@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES)
def test_a_low_threshold_does_not_alarm_either(shape: list[float]) -> None:
    rng = np.random.default_rng(7)
    levels = [
        drift.compare(sample(rng, shape, 872), sample(rng, shape, 200), 0.01).level
        for _ in range(400)
    ]
    assert levels.count("drift") <= 2


def test_real_shifts_are_found() -> None:
    rng = np.random.default_rng(11)
    sure, positive = SHAPES["sure"], [12, 1, 1, 1, 1, 1, 1, 2, 6, 74]
    unsure = [20, 12, 10, 8, 6, 6, 8, 10, 10, 10.0]
    for shape in (positive, unsure):
        levels = [
            drift.compare(sample(rng, sure, 872), sample(rng, shape, 200), 0.25).level
            for _ in range(200)
        ]
        assert levels.count("drift") >= 0.9 * len(levels)
    # Half-way there it is a shift, and not yet drift.
    between = [32, 3, 2, 2, 1, 1, 2, 3, 5, 49]
    levels = [
        drift.compare(sample(rng, sure, 5000), sample(rng, between, 5000), 0.06).level
        for _ in range(50)
    ]
    assert levels.count("some shift") >= 45


def test_answers_are_counted() -> None:
    described = drift.describe(
        [
            Answer("POSITIVE", 1.0, 10, 0.5),
            Answer("NEGATIVE", 1.0, 20, None),
            Answer("NEGATIVE", 0.75, 30, 0.0),
        ]
    )
    assert described.labels == {"NEGATIVE": 2, "POSITIVE": 1}
    assert described.positive_histogram == [1, 0, 1, 0, 0, 0, 0, 0, 0, 1]
    assert described.rows == 3
    assert described.positive_share == pytest.approx(1 / 3)
    assert described.mean_characters == 20
    assert described.unknown_token_share == 0.25


@given(st.sampled_from(drift.LABELS), st.floats(0.5, 1))
def test_every_answer_falls_into_one_bin(label: str, score: float) -> None:
    described = drift.describe([Answer(label, score, 1, None)])
    assert sum(described.positive_histogram) == 1
    assert described.unknown_token_share is None


def test_labels_are_those_of_the_model() -> None:
    assert drift.LABELS == data.LABELS
