"""A small part of the training set whose labels the training never sees: what calibration needs.

It is of whole sentences. Some sets, SST-2's among them, also have phrases cut from their sentences,
each a row; a model that trained on a sentence's phrases is surer of it than of a new one. So a
sentence is held out with all that was cut from it, except what a kept sentence has as well: that a
new sentence would share, too.

A sentence is held out by the hash of its words, so that rows which differ in case or punctuation
only are on one side, and so that more data moves none that was there before, up to the share.
"""

import hashlib
import re
from collections import defaultdict
from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from itertools import pairwise

from model.data import Example

SHARE = 0.02  # of the whole sentences
MOST = 1000  # sentences, about; of a large set a smaller share is enough
CUT = 0.5  # of the rows are phrases of others; in a set with fewer, each row is a sentence
LONGEST = 100  # words of a phrase; a longer row counts as a sentence of its own
FEWEST = 500  # training rows; of fewer none can be spared


def normalise(sentence: str) -> str:
    """A sentence as its lower-case words: two that differ in case or punctuation are the same."""
    return " ".join(re.findall(r"\w+", sentence.lower()))


def split(rows: Sequence[Example]) -> tuple[list[Example], list[Example]]:
    """The rows to train on and those held out, each in their order; what was cut is in neither."""
    if len(rows) < FEWEST:
        return list(rows), []
    texts = [normalise(row.sentence) for row in rows]
    known = set(texts)
    phrases = _within(known, known)
    if len(phrases) < CUT * len(known):
        phrases = set()
    sentences = known - phrases
    share = min(SHARE, MOST / len(sentences))
    held = {sentence for sentence in sentences if _place(sentence) < share}
    cut = _within(phrases, held)
    cut -= _within(cut, sentences - held)
    placed = list(zip(rows, texts, strict=True))
    return (
        [row for row, text in placed if text not in held and text not in cut],
        [row for row, text in placed if text in held],
    )


def _within(parts: AbstractSet[str], wholes: AbstractSet[str]) -> set[str]:
    """Those of `parts` whose words stand, one after the other, in a longer one of `wholes`."""
    lengths: dict[tuple[str, ...], set[int]] = defaultdict(set)  # of the parts that begin so
    for part in parts:
        words = part.split()
        if 3 <= len(words) <= LONGEST:
            lengths[tuple(words[:3])].add(len(words))
    found: set[str] = set()
    for whole in sorted(wholes, key=len, reverse=True):
        if whole in found:  # and with it all that is in it
            continue
        words = whole.split()
        hits = {*words, *map(" ".join, pairwise(words))} & parts
        for start, beginning in enumerate(zip(words, words[1:], words[2:], strict=False)):
            for length in lengths.get(beginning, ()):
                text = " ".join(words[start : start + length])
                if text in parts:
                    hits.add(text)
        found.update(hits - {whole})
    return found


def _place(sentence: str) -> float:
    """A number in [0, 1) that the words decide."""
    digest = hashlib.sha256(normalise(sentence).encode()).digest()
    return int.from_bytes(digest[:8], "big") / 2**64
