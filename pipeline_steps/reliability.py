"""Does a score of 0.9 mean right 9 times in 10? The expected calibration error, and Brier's score.

The error (Naeini et al. 2015, as Guo et al. 2017, https://arxiv.org/abs/1706.04599, use it) is the
mean distance between score and share of right answers over bins of the score, weighed by rows.
Deviation: a score is that of the label answered, one of two, so the bins begin at a half.
Brier's score (1950) is the mean squared distance of P(POSITIVE) from 1 or 0.
"""

import math

from pipeline_steps.evaluation_artefacts import Calibration, Reliability, ReliabilityBin

BINS = 10  # equal ones of the score, from 0.5 to 1
SMALLEST = 1e-12  # probability; where a float has run into 0 its logit is taken as finite


class ReliabilityTally:
    """Counts answers by score, one at a time; the rows themselves are not kept."""

    def __init__(self) -> None:
        self._rows, self._right, self._scores = [0] * BINS, [0] * BINS, [0.0] * BINS
        self._squares = 0.0

    def add(self, score: float, right: bool) -> None:
        """Count an answer by the probability of its label."""
        place = min(max(int((score - 0.5) * 2 * BINS), 0), BINS - 1)
        self._rows[place] += 1
        self._right[place] += right
        self._scores[place] += score
        self._squares += (1 - score if right else score) ** 2

    def result(self) -> Reliability:
        """What was counted; at least one answer was."""
        rows = sum(self._rows)
        bins = [
            ReliabilityBin(scores / count, right / count, count)
            for count, right, scores in zip(self._rows, self._right, self._scores, strict=True)
            if count
        ]
        error = math.fsum(each.rows * abs(each.accuracy - each.confidence) for each in bins) / rows
        return Reliability(error, self._squares / rows, bins)


class CalibrationTally:
    """The same answers twice: as they are given, and as they were without the temperature."""

    def __init__(self, temperature: float) -> None:
        self._temperature = temperature
        self._before, self._after = ReliabilityTally(), ReliabilityTally()

    def add(self, score: float, right: bool) -> None:
        """Count an answer by the probability of its label, as it is given."""
        self._after.add(score, right)
        self._before.add(at_temperature(score, 1 / self._temperature), right)

    def result(self) -> Calibration:
        """What was counted; at least one answer was."""
        return Calibration(self._temperature, self._before.result(), self._after.result())


def at_temperature(score: float, temperature: float) -> float:
    """A probability of one of two labels, with the logits behind it divided by `temperature`."""
    kept = min(max(score, SMALLEST), 1 - SMALLEST)
    return 1 / (1 + math.exp(-math.log(kept / (1 - kept)) / temperature))
