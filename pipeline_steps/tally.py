"""Answers held against labels, row by row: all figures of an evaluation, and none of its rows.

However many rows there are, what is kept are counts, and the few mistakes that are shown.
"""

import heapq
from collections import Counter
from collections.abc import Collection
from typing import Any

from sklearn.metrics import precision_recall_fscore_support

from model.data import LABELS, Example
from model.slices import SLICES, names_of
from pipeline_steps import drift
from pipeline_steps.chance import wilson
from pipeline_steps.evaluation_artefacts import Mistake, SliceResult
from pipeline_steps.reliability import CalibrationTally

MISTAKES = 50  # the worst ones: to see what they have in common, and few enough to be held


class Tally:
    """Counts answers to labelled sentences; `figures` are those of `Evaluation`, by name.

    Args:
        known: the words that training holds often, as `known_words` gives them; None: not known.
        temperature: by which the candidate divides its logits.
    """

    def __init__(self, known: Collection[str] | None, temperature: float) -> None:
        self._known = known
        self._counts: Counter[tuple[str, str]] = Counter()  # by label and answer
        self._slices: Counter[tuple[str, bool]] = Counter()  # by name, and whether it was right
        self._calibration = CalibrationTally(temperature)
        self._drift = drift.Tally()
        self._worst: list[tuple[float, int, Mistake]] = []

    @property
    def rows(self) -> int:
        """How many answers were counted."""
        return self._counts.total()

    def add(self, example: Example, said: dict[str, Any]) -> None:
        """Count what the server said to a sentence."""
        label, score, text = LABELS[example.label], said["score"], example.sentence
        right = label == said["label"]
        self._counts[label, said["label"]] += 1
        self._slices.update((name, right) for name in names_of(text, self._known))
        self._calibration.add(score, right)
        self._drift.add(drift.Answer(said["label"], score, len(text), _unknown_share(said)))
        if not right:
            # Of two that are alike, the earlier one is the worse.
            worst = (score, -self.rows, Mistake(text, label, said["label"], score))
            keep = heapq.heappushpop if len(self._worst) == MISTAKES else heapq.heappush
            keep(self._worst, worst)

    def figures(self) -> dict[str, Any]:
        """What was counted; at least one answer was."""
        cells = [(want, got, self._counts[want, got]) for want in LABELS for got in LABELS]
        right = sum(count for want, got, count in cells if want == got)
        truth, answered, weights = zip(*cells, strict=True)
        precision, recall, f1, support = precision_recall_fscore_support(
            truth, answered, labels=LABELS, sample_weight=weights, zero_division=0.0
        )
        return {
            "rows": self.rows,
            "accuracy": right / self.rows,
            "accuracy_interval": wilson(right, self.rows),
            # F1 of the positive class, as GLUE reports it for its binary tasks
            "f1": float(f1[1]),
            "per_class": {
                label: {
                    "precision": float(precision[i]),
                    "recall": float(recall[i]),
                    "f1": float(f1[i]),
                    "rows": float(support[i]),
                }
                for i, label in enumerate(LABELS)
            },
            "confusion_matrix": {
                want: {got: self._counts[want, got] for got in LABELS} for want in LABELS
            },
            "baseline": self._drift.result(),
            "mistakes": [mistake for _, _, mistake in sorted(self._worst, reverse=True)],
            "slices": [self._slice(each.name, each.description) for each in SLICES],
            "calibration": self._calibration.result(),
        }

    def _slice(self, name: str, description: str) -> SliceResult:
        right = self._slices[name, True]
        rows = right + self._slices[name, False]
        accuracy, interval = (right / rows, wilson(right, rows)) if rows else (None, None)
        return SliceResult(name, description, rows, accuracy, interval)


def _unknown_share(said: dict[str, Any]) -> float | None:
    """The share of tokens that the tokenizer does not know; None for a text without any."""
    return said["unknown_tokens"] / said["tokens"] if said["tokens"] else None
