"""The bundled demo corpus: short reviews of films and phones, each POSITIVE (1) or NEGATIVE (0).

The fragments (`model.demo_fragments`) are written by hand; this module is the grammar over them:

    clause      the acting is (really | not at all) convincing
    and         CLAUSE and CLAUSE, of one sign
    but         CLAUSE but CLAUSE, of two signs; the one after "but" decides
    although    although CLAUSE, CLAUSE, of two signs; the main clause decides
    question    who could call this boring?   (rhetorical: the sign is that of its answer)
    phrase      a charming film with a clever plot
    neutral     I saw it in June. CLAUSE

The validation sentences use fragments that training never sees, made of mostly the same words.

    python -m model.demo_corpus        # prints 20 labelled sentences
"""

import random
import re
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from itertools import product
from typing import TypeVar

from model.demo_fragments import CHOICES, OPENERS, QUESTION_OPENERS, TRAIN, VALIDATION

T = TypeVar("T")
Example = tuple[str, int]

MIX = {  # share of each kind of sentence
    "clause": 0.29,
    "but": 0.30,
    "and": 0.11,
    "although": 0.13,
    "question": 0.07,
    "phrase": 0.05,
    "neutral": 0.05,
}
FILM_SHARE = 0.55  # of the sentences; the others are about a phone
NEGATED_SHARE = 0.20  # of lone clauses of either sign, so that a negator gives no label away
PAIR_NEGATED_SHARE = 0.08  # of the clauses that stand in a pair
CONCEDED_SHARE = 0.30  # of the contrasts that open like "I had high hopes, but"
OPENED_SHARE = 0.20  # of the sentences that open like "honestly,"
LOWER_SHARE = 0.30  # of the sentences written without a capital
ATTEMPTS = 500  # draws for one new sentence before the grammar counts as used up

STANDALONE = ("concede", "neutral", "phrase", "question")  # topics that are not plain clauses
AND = (" and ", ", and ", ". ")
BUT = (", but ", ", but ", " but ")
ALTHOUGH = ("although", "although", "even though")
SLOT = re.compile(r"<([^<>]+)>")


@dataclass(frozen=True)
class Fragment:
    """One fragment, as written or negated, in all its wordings."""

    topic: str
    wordings: tuple[str, ...]


# By domain ("film", "gadget"), kind ("clause" or a standalone topic), label, negated or not.
Pools = dict[tuple[str, str, int, bool], list[Fragment]]


def generate(
    seed: int = 0, train_size: int = 4800, validation_size: int = 960
) -> tuple[list[Example], list[Example]]:
    """Return (train, validation), each a list of (sentence, label), label 1 = POSITIVE.

    The same arguments give the same sentences on every platform and Python version. Half of
    each split is positive, and no sentence comes twice, whatever its case and punctuation.

    Raises:
        ValueError: a size below 2, or above what the grammar fills without repeating itself.
    """
    return (
        _fill("train", TRAIN, train_size, seed),
        _fill("validation", VALIDATION, validation_size, seed),
    )


def _fill(split: str, source: str, size: int, seed: int) -> list[Example]:
    if size < 2:
        raise ValueError(f"{split}_size is {size}; give at least 2, one sentence for each label.")
    pools = _pools(source)
    # Only random() of a generator seeded by text is promised to stay the same in every Python.
    rng = random.Random(f"{split} {seed}")  # noqa: S311 - sampling, not secrecy
    used: set[str] = set()
    examples: list[Example] = []
    for index in range(size):
        label = index % 2
        sentence = _new_sentence(pools, label, used, rng)
        if sentence is None:
            raise ValueError(
                f"{split}_size is {size}, but the demo fragments give only {index} distinct "
                f"sentences; ask for at most {index}, or add to model/demo_fragments.py."
            )
        examples.append((_dress(sentence, rng), label))
    return sorted(examples, key=lambda _: rng.random())


def _new_sentence(pools: Pools, label: int, used: set[str], rng: random.Random) -> str | None:
    for _ in range(ATTEMPTS):
        drawn = _draw(pools, label, rng)
        if drawn is not None and used.isdisjoint(drawn):
            used.update(drawn)
            return drawn[0]
    return None


def _draw(pools: Pools, label: int, rng: random.Random) -> tuple[str, str] | None:
    """Draw a sentence and its key; None if its two clauses do not fit together.

    Two sentences with one key say the same: the same clause with another opener, or the same
    two fragments joined again.
    """
    kind = _pick_weighted(MIX, rng)
    domain = "film" if rng.random() < FILM_SHARE else "gadget"
    if kind in ("and", "but", "although"):
        return _draw_pair(pools, kind, domain, label, rng)
    _, text = _draw_clause(pools, domain, "clause" if kind == "neutral" else kind, label, rng)
    if kind == "neutral":
        _, neutral = _draw_clause(pools, domain, "neutral", label, rng)
        return f"{neutral}. {text}", text
    openers = QUESTION_OPENERS if kind == "question" else OPENERS
    opened = kind != "phrase" and rng.random() < OPENED_SHARE
    mark = "?" if kind == "question" else ""
    return (f"{_pick(openers, rng)}, {text}{mark}" if opened else text + mark), text


def _draw_pair(
    pools: Pools, kind: str, domain: str, label: int, rng: random.Random
) -> tuple[str, str] | None:
    contrast = kind != "and"
    conceded = contrast and rng.random() < CONCEDED_SHARE
    opening, opening_label = "concede" if conceded else "clause", 1 - label if contrast else label
    share = PAIR_NEGATED_SHARE
    first, one = _draw_clause(pools, domain, opening, opening_label, rng, negated_share=share)
    second, two = _draw_clause(pools, domain, "clause", label, rng, negated_share=share)
    # "I loved it, but the music is bland" still praises: a verdict on the whole is no concession.
    # "The music is bland, but everything is perfect" contradicts itself.
    if contrast and (first.topic in ("whole", "total") or second.topic == "total"):
        return None
    if first.topic == second.topic or _clash(one, two):
        return None
    key = f"{first.wordings[0]} / {second.wordings[0]}"
    if kind == "although":
        return f"{_pick(ALTHOUGH, rng)} {one}, {two}", key
    return f"{one}{_pick(BUT if contrast else AND, rng)}{two}", key


def _clash(one: str, two: str) -> bool:
    """Whether two clauses repeat a word of four letters or more, or mix "is" with "was"."""
    words, others = set(re.findall(r"\w+", one)), set(re.findall(r"\w+", two))
    present, past = {"is", "are"}, {"was", "were"}
    mixed = (words & present and others & past) or (words & past and others & present)
    return bool(mixed) or any(len(word) >= 4 for word in words & others)


def _draw_clause(
    pools: Pools,
    domain: str,
    kind: str,
    label: int,
    rng: random.Random,
    *,
    negated_share: float = NEGATED_SHARE,
) -> tuple[Fragment, str]:
    negated = rng.random() < negated_share and (domain, kind, label, True) in pools
    fragment = _pick(pools[domain, kind, label, negated], rng)
    return fragment, _pick(fragment.wordings, rng)


def _dress(sentence: str, rng: random.Random) -> str:
    """Give a bare sentence its capitals and its full stop or exclamation mark."""
    if rng.random() < LOWER_SHARE:
        sentence, ends = sentence.lower(), ("", "", ".", "!")
    else:
        sentence = re.sub(r"(^|[.?] )(\w)", lambda m: m[1] + m[2].upper(), sentence)
        ends = (".", ".", ".", "!")
    return sentence if sentence.endswith("?") else sentence + _pick(ends, rng)


def _pick(options: Sequence[T], rng: random.Random) -> T:
    return options[int(rng.random() * len(options))]


def _pick_weighted(shares: dict[str, float], rng: random.Random) -> str:
    left = rng.random() * sum(shares.values())
    for name, share in shares.items():
        left -= share
        if left < 0:
            return name
    return name


@cache
def _pools(source: str) -> Pools:
    pools: Pools = defaultdict(list)
    for line in source.strip().splitlines():
        if not line.startswith(" "):
            domain, topic, sign = line.split()
            continue
        kind = topic if topic in STANDALONE else "clause"
        for text in line.strip().split("; "):
            for negated in (False, True) if "|" in text else (False,):
                fragment = Fragment(topic, _wordings(text, negated))
                labels = (0, 1) if sign == "0" else (int((sign == "+") != negated),)
                for where, label in product(("film", "gadget"), labels):
                    if domain in (where, "any"):
                        pools[where, kind, label, negated].append(fragment)
    return pools


def _wordings(text: str, negated: bool) -> tuple[str, ...]:
    """Fill the slots of a fragment in every way; `negated` takes the side after the bar."""
    parts = []
    for index, piece in enumerate(SLOT.split(text)):  # text, slot, text, slot, ... text
        kept, bar, turned = piece.partition("|")
        side = turned if negated and bar else kept
        parts.append(_options(side) if index % 2 else [piece])
    return tuple(" ".join("".join(words).split()) for words in product(*parts))


def _options(side: str) -> list[str]:
    return [
        " ".join(words)
        for choice in side.split("/")
        for words in product(*(CHOICES.get(word, (word,)) for word in choice.split()))
    ]


def main() -> None:
    """Print 20 training sentences with their labels."""
    train, _ = generate()
    for sentence, label in train[:20]:
        print(f"{'POSITIVE' if label else 'NEGATIVE'}  {sentence}")


if __name__ == "__main__":
    main()
