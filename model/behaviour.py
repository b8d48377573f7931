"""Behaviour tests of three kinds, after CheckList: Ribeiro et al. 2020, "Beyond Accuracy".

https://aclanthology.org/2020.acl-main.442. Each test is made of templates, in `behaviour.toml`, and
always of the same cases. This module makes the cases and tells which answers pass; who is asked is
not its business.

    python -m model.behaviour        # prints each test with its first case
"""

import itertools
import math
import re
import tomllib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Literal

from model.data import LABELS

FILE = Path(__file__).with_suffix(".toml")
TOLERANCE = 0.05  # of P(POSITIVE): a step against the direction that is still no step
SLOT = re.compile(r"{(\w+)}")

Kind = Literal["MFT", "INV", "DIR"]


@dataclass(frozen=True)
class Case:
    """A text, and what is expected of its answer.

    Attributes:
        text: what is asked.
        label: MFT: the label's number that it must have.
        original: INV and DIR: the text whose answer it is held against.
        rises: DIR: whether P(POSITIVE) may only rise, or only fall, against the original's.
    """

    text: str
    label: int | None = None
    original: str | None = None
    rises: bool | None = None

    @property
    def expected(self) -> str:
        """What is expected, in words."""
        if self.label is not None:
            return LABELS[self.label]
        if self.rises is None:
            return "the answer of the original"
        return f"P(POSITIVE) {'no lower' if self.rises else 'no higher'} than the original's"

    def excess(self, positive: Mapping[str, float]) -> float:
        """How far the answer is on the wrong side; it passes where that is not above 0.

        Args:
            positive: P(POSITIVE) by text.
        """
        said = positive[self.text]
        if self.original is None:
            wanted = self.label == 1
        elif self.rises is None:
            wanted = positive[self.original] > 0.5
        else:
            step = said - positive[self.original]
            return (-step if self.rises else step) - TOLERANCE
        if (said > 0.5) == wanted:
            return 0.0
        return max(abs(said - 0.5), 1e-9)  # on the edge it is wrong too


@dataclass(frozen=True)
class BehaviourTest:
    """One test with all its cases."""

    name: str
    kind: Kind
    capability: str
    cases: tuple[Case, ...]


def _inside_longest(text: str, change: Callable[[str], str]) -> str:
    """`text` with its longest word, and the last of these, changed."""
    word = max(re.findall(r"\w+", text)[::-1], key=len)
    start = text.rindex(word)
    return text[:start] + change(word) + text[start + len(word) :]


CHANGES: dict[str, Callable[[str], str]] = {
    "swap_letters": lambda t: _inside_longest(t, lambda w: w[0] + w[2] + w[1] + w[3:]),
    "drop_letter": lambda t: _inside_longest(t, lambda w: w[:3] + w[4:]),
    "double_letter": lambda t: _inside_longest(t, lambda w: w[:3] + w[2:]),
    "drop_stop": lambda t: t.rstrip("."),
    "exclaim": lambda t: t.rstrip(".") + "!!!",
    "trail_off": lambda t: t.rstrip(".") + " ...",
    "space_marks": lambda t: re.sub(r"(?<=\w)([,.!?])", r" \1", t),
    "double_spaces": lambda t: t.replace(" ", "  "),
    "upper": str.upper,
    "lower": str.lower,
    "title": str.title,
}


@cache
def behaviour_tests(path: Path = FILE) -> tuple[BehaviourTest, ...]:
    """All tests of the file, in its order."""
    content = tomllib.loads(path.read_text(encoding="utf-8"))
    words, most = content["words"], content["most"]
    return tuple(
        BehaviourTest(
            each["name"],
            each["kind"],
            each["capability"],
            tuple(_thinned(list(dict.fromkeys(_cases(each, words))), most)),
        )
        for each in content["test"]
    )


def _cases(test: Mapping[str, Any], words: Mapping[str, list[str]]) -> Iterator[Case]:
    if test["kind"] == "MFT":
        label = LABELS.index(test["label"])
        for template in test["templates"]:
            yield from (Case(text, label=label) for (text,) in _filled([template], words))
    elif test["kind"] == "DIR":
        for pair in zip(test["templates"], test["becomes"], strict=True):
            for original, text in _filled(pair, words):
                yield Case(text, original=original, rises=test["rises"])
    elif "change" in test:
        change = CHANGES[test["change"]]
        for template in test["templates"]:
            for (original,) in _filled([template], words):
                yield Case(change(original), original=original)
    else:
        slot = test["swap"]
        first, *others = words[slot]
        for template in test["templates"]:
            originals, texts = (template.replace(f"{{{slot}}}", w) for w in (first, "{other}"))
            for original, text in _filled([originals, texts], {**words, "other": others}):
                yield Case(text, original=original)


def _filled(templates: Any, words: Mapping[str, list[str]]) -> Iterator[tuple[str, ...]]:
    """The templates with their slots filled in every way, alike in all of them."""
    slots = list(dict.fromkeys(slot for each in templates for slot in SLOT.findall(each)))
    for choice in itertools.product(*(words[slot] for slot in slots)):
        filling = dict(zip(slots, choice, strict=True))
        yield tuple(each.format(**filling) for each in templates)


def _thinned(cases: list[Case], most: int) -> list[Case]:
    """At most `most` of the cases, from all over: no word of a slot comes with one other alone."""
    count = len(cases)
    # Steps of the golden section, around and around, meet each case once.
    step = next(n for n in range(round(0.618 * count) or 1, 2 * count) if math.gcd(n, count) == 1)
    return [cases[place * step % count] for place in range(min(most, count))]


def main() -> None:
    """Print each test with its number of cases and the first of them."""
    for test in behaviour_tests():
        first = test.cases[0]
        print(f"{test.kind} {test.capability:<12}{test.name:<32}{len(test.cases):>4}  {first.text}")


if __name__ == "__main__":
    main()
