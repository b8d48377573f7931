"""Whether live answers still look like those of the evaluation: the population stability index.

    PSI = Σ (live - expected) · ln(live / expected)      over the shares of the bins

The index, and its two marks of 0.1 ("some shift") and 0.25 ("drift"), are those of credit scoring:
Siddiqi, Credit Risk Scorecards, 2006. It is the symmetric divergence of Jeffreys (1946).

Two samples of one population differ too. With n and m rows, PSI / (1/n + 1/m) is then about
chi-squared with bins - 1 degrees of freedom (Yurdakul, Statistical Properties of Population
Stability Index, 2018). So a mark counts only where it is above what chance reaches once in a
thousand samples. Deviation: half a row is added to each bin (Jeffreys' prior), as the logarithm of
an empty one is infinite.
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from statistics import NormalDist
from typing import Literal

BINS = 10  # equal ones of P(POSITIVE)
LABELS = ("NEGATIVE", "POSITIVE")
PRIOR = 0.5  # rows added to each bin
CHANCE = 0.001  # how often chance alone may reach the threshold
SHIFT_OF_DRIFT = 0.4  # "some shift" starts here: 0.1 where drift starts at 0.25

Level = Literal["no drift", "some shift", "drift"]
LEVELS: tuple[Level, ...] = ("no drift", "some shift", "drift")


@dataclass(frozen=True)
class Distribution:
    """Answers in numbers: rows by label and by bin of P(POSITIVE), and what the texts were like.

    `mean_characters` and `unknown_token_share` are None where no answer tells them.
    """

    labels: dict[str, int]
    positive_histogram: list[int]
    mean_characters: float | None
    unknown_token_share: float | None

    @property
    def rows(self) -> int:
        """How many answers were counted."""
        return sum(self.positive_histogram)

    @property
    def positive_share(self) -> float:
        """The share of answers that say POSITIVE."""
        return self.labels["POSITIVE"] / self.rows


@dataclass(frozen=True)
class Answer:
    """One answer as the log, or the evaluation, tells it; `score` is the probability of `label`."""

    label: str
    score: float
    characters: int
    unknown_token_share: float | None

    @property
    def positive(self) -> float:
        """P(POSITIVE)."""
        return self.score if self.label == "POSITIVE" else 1 - self.score


class Tally:
    """Counts answers, each of which is one of `LABELS`; the answers themselves are not kept."""

    def __init__(self) -> None:
        self._labels = dict.fromkeys(LABELS, 0)
        self._histogram = [0] * BINS
        self._characters, self._shares, self._with_share = 0, 0.0, 0

    def add(self, answer: Answer) -> None:
        """Count one."""
        self._labels[answer.label] += 1
        self._histogram[min(int(answer.positive * BINS), BINS - 1)] += 1
        self._characters += answer.characters
        if answer.unknown_token_share is not None:
            self._shares += answer.unknown_token_share
            self._with_share += 1

    def result(self) -> Distribution:
        """What was counted."""
        rows = sum(self._histogram)
        characters = self._characters / rows if rows else None
        share = self._shares / self._with_share if self._with_share else None
        return Distribution(dict(self._labels), list(self._histogram), characters, share)


def describe(answers: Iterable[Answer]) -> Distribution:
    """Count answers, each of which is one of `LABELS`."""
    tally = Tally()
    for answer in answers:
        tally.add(answer)
    return tally.result()


def psi(expected: list[int], live: list[int]) -> float:
    """The population stability index of two histograms of counts over the same bins; 0 if equal."""
    return math.fsum(
        (q - p) * math.log(q / p) for p, q in zip(_shares(expected), _shares(live), strict=True)
    )


def _shares(counts: list[int]) -> list[float]:
    total = sum(counts) + PRIOR * len(counts)
    return [(count + PRIOR) / total for count in counts]


def chance_psi(bins: int, expected_rows: int, live_rows: int) -> float:
    """What two samples of one population reach with the probability `CHANCE`."""
    quantile = _chi_squared_quantile(bins - 1, 1 - CHANCE)
    return quantile * (1 / expected_rows + 1 / live_rows)


def _chi_squared_quantile(freedom: int, probability: float) -> float:
    # Wilson and Hilferty 1931; within 3 % here, and it spares the jobs that watch a large package.
    spread = 2 / (9 * freedom)
    return freedom * (1 - spread + NormalDist().inv_cdf(probability) * math.sqrt(spread)) ** 3


@dataclass(frozen=True)
class Comparison:
    """How far one histogram has moved, and whether that is drift."""

    psi: float
    chance: float
    level: Level


def compare(expected: list[int], live: list[int], drift_from: float) -> Comparison:
    """Judge `live` against `expected`; drift is a PSI of at least `drift_from`."""
    value, chance = psi(expected, live), chance_psi(len(live), sum(expected), sum(live))
    level: Level = "no drift"
    if value >= max(drift_from, chance):
        level = "drift"
    elif value >= max(drift_from * SHIFT_OF_DRIFT, chance):
        level = "some shift"
    return Comparison(value, chance, level)
