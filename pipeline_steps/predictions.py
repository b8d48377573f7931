"""Each row's answer, kept so that the next model is compared with this one without asking it."""

import hashlib
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from model.data import LABELS, Example
from pipeline_steps.artefact import Artefact


@dataclass(frozen=True)
class Predictions(Artefact):
    """What a candidate answered: `positive` is P(POSITIVE) of each row, in the rows' order."""

    FILE: ClassVar[str] = "predictions.json"
    STEP: ClassVar[str] = "evaluate"

    model_version: str
    candidate_hash: str
    rows_hash: str
    positive: list[float]

    def right(self, rows: Sequence[Example]) -> list[bool]:
        """Whether each answer is the label of its row."""
        return [
            (positive > 0.5) == (row.label == 1)
            for positive, row in zip(self.positive, rows, strict=True)
        ]


def hash_of_rows(rows: Iterable[Example]) -> str:
    """SHA-256 over labelled sentences in their order."""
    digest = hashlib.sha256()
    for row in rows:
        digest.update(json.dumps([row.sentence, row.label], ensure_ascii=False).encode() + b"\n")
    return digest.hexdigest()


def answer(positive: float) -> dict[str, Any]:
    """The answer with that P(POSITIVE), as `Tally` counts it; of its tokens nothing is known."""
    label, score = (LABELS[1], positive) if positive > 0.5 else (LABELS[0], 1 - positive)
    return {"label": label, "score": score, "tokens": 0, "unknown_tokens": 0}


def positive(said: dict[str, Any]) -> float:
    """P(POSITIVE) of an answer."""
    score: float = said["score"]
    return score if said["label"] == LABELS[1] else 1 - score
