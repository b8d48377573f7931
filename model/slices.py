"""Slices: kinds of sentences on which a model is judged on its own, each found by a rule here.

A sentence may be in several slices, or in none. The words are lower-case and as the rules split
them: "don't" is one word, and so are SST-2's "do" and "n't".
"""

import re
from collections import Counter
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass

WORD = re.compile(r"[^\W\d_]+(?:['’][^\W\d_]+)*|n['’]t|\d[\d.,]*")
NEGATIONS = frozenset(
    [
        "not",
        "no",
        "never",
        "nor",
        "neither",
        "none",
        "nobody",
        "nothing",
        "nowhere",
        "without",
        "cannot",
        "n't",
        "hardly",
        "barely",
        "scarcely",
        "lacks",
        "lacking",
    ]
)
CONTRASTS = frozenset(
    [
        "but",
        "although",
        "though",
        "however",
        "despite",
        "yet",
        "while",
        "whereas",
        "except",
        "nevertheless",
        "nonetheless",
        "unfortunately",
        "still",
        "instead",
    ]
)
NUMBERS = frozenset(
    [
        "two",
        "three",
        "four",
        "five",
        "six",
        "seven",
        "eight",
        "nine",
        "ten",
        "eleven",
        "twelve",
        "twenty",
        "thirty",
        "forty",
        "fifty",
        "hundred",
        "thousand",
        "million",
        "half",
    ]
)
SHORT, LONG = 6, 20  # words: up to, and from
RARE_COUNT = 2  # a word is rare that training holds at most as often


@dataclass(frozen=True)
class Sentence:
    """A sentence as the rules look at it; `rare` holds those of its words that training rarely has.

    `rare` is None where nothing is known of the training.
    """

    text: str
    words: list[str]
    rare: set[str] | None

    def has(self, listed: Collection[str]) -> bool:
        """Whether one of the listed words stands in it."""
        return any(word in listed for word in self.words)


@dataclass(frozen=True)
class Slice:
    """One kind of sentence: its name, what it is in words, and the rule."""

    name: str
    description: str
    holds: Callable[[Sentence], bool]


SLICES = (
    Slice("short", f"at most {SHORT} words", lambda s: len(s.words) <= SHORT),
    Slice(
        "medium",
        f"{SHORT + 1} to {LONG - 1} words",
        lambda s: SHORT < len(s.words) < LONG,
    ),
    Slice("long", f"{LONG} words or more", lambda s: len(s.words) >= LONG),
    Slice(
        "negation",
        "a word such as not, never, n't, without, hardly",
        lambda s: s.has(NEGATIONS) or any(w.endswith(("n't", "n’t")) for w in s.words),
    ),
    Slice("contrast", "a word such as but, although, despite, yet", lambda s: s.has(CONTRASTS)),
    Slice("question", "a question mark", lambda s: "?" in s.text),
    Slice(
        "number",
        "a digit, or a number in words",
        lambda s: s.has(NUMBERS) or any(character.isdigit() for character in s.text),
    ),
    Slice(
        "rare words",
        f"a word that training holds at most {RARE_COUNT} times",
        lambda s: bool(s.rare),
    ),
    Slice(
        "lower case",
        "no capital letter",
        lambda s: s.text == s.text.lower() and s.text != s.text.upper(),
    ),
    Slice(
        "capitals",
        "a word of three letters or more in capitals",
        lambda s: any(word.isupper() for word in re.findall(r"[^\W\d_]{3,}", s.text)),
    ),
)


def words_of(text: str) -> list[str]:
    """The words of a text, in lower case."""
    return WORD.findall(text.lower())


def known_words(training: Iterable[str]) -> set[str]:
    """The words that are not rare in the sentences of the training."""
    counts = Counter(word for text in training for word in words_of(text))
    return {word for word, count in counts.items() if count > RARE_COUNT}


def names_of(text: str, known: Collection[str] | None) -> list[str]:
    """The slices that a text is in, in the order of `SLICES`.

    Args:
        text: any text.
        known: what `known_words` gave; None leaves the slice of rare words empty.
    """
    words = words_of(text)
    rare = None if known is None else {word for word in words if word not in known}
    sentence = Sentence(text, words, rare)
    return [each.name for each in SLICES if each.holds(sentence)]
