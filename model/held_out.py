"""A small part of the training set whose labels the training never sees: what calibration needs.

A row is in it by the hash of its words, so that sentences which differ in case or punctuation
only are on one side, and so that more data moves no row that was there before, up to the share.
"""

import hashlib
import re
from collections.abc import Sequence

from model.data import Example

SHARE = 0.02  # of the training rows
MOST = 1000  # rows, about; of a large set a smaller share is enough
FEWEST = 500  # training rows; of fewer none can be spared


def normalise(sentence: str) -> str:
    """A sentence as its lower-case words: two that differ in case or punctuation are the same."""
    return " ".join(re.findall(r"\w+", sentence.lower()))


def split(rows: Sequence[Example]) -> tuple[list[Example], list[Example]]:
    """The rows to train on and those held out, each in their order."""
    share = min(SHARE, MOST / len(rows)) if len(rows) >= FEWEST else 0.0
    kept: list[Example] = []
    held: list[Example] = []
    for row in rows:
        (held if _place(row.sentence) < share else kept).append(row)
    return kept, held


def _place(sentence: str) -> float:
    """A number in [0, 1) that the words decide."""
    digest = hashlib.sha256(normalise(sentence).encode()).digest()
    return int.from_bytes(digest[:8], "big") / 2**64
