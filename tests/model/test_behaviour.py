"""The behaviour tests themselves: enough of them, well-formed, and always the same."""

from collections import Counter

import pytest

from model.behaviour import TOLERANCE, Case, behaviour_tests
from model.data import read_splits
from model.held_out import normalise

TESTS = behaviour_tests()


def test_there_are_enough_of_each_kind() -> None:
    assert len(TESTS) >= 40
    assert sum(len(test.cases) for test in TESTS) >= 2000
    assert set(Counter(test.kind for test in TESTS)) == {"MFT", "INV", "DIR"}
    assert {test.capability for test in TESTS} == {
        "vocabulary", "negation", "contrast", "temporal", "entity", "fairness", "typos",
        "punctuation", "casing",
    }  # fmt: skip
    assert len({test.name for test in TESTS}) == len(TESTS)


@pytest.mark.parametrize("test", TESTS, ids=lambda test: test.name)
def test_cases_are_whole(test: object) -> None:
    cases = test.cases  # type: ignore[attr-defined]
    assert len(cases) == len(set(cases)) >= 20
    for case in cases:
        assert "{" not in case.text
        assert case.text != case.original
        assert (case.label is None) == (case.original is not None)


def test_cases_are_the_same_each_time() -> None:
    behaviour_tests.cache_clear()
    assert behaviour_tests() == TESTS


def test_every_word_of_a_slot_is_met() -> None:
    (faith,) = (test for test in TESTS if test.name == "another faith")
    met = {case.text.split()[1] for case in faith.cases}
    assert met == {"Muslim", "Jewish", "Hindu", "Buddhist", "atheist"}


def test_no_case_stands_in_the_demo_training() -> None:
    trained = {normalise(row.sentence) for row in read_splits("demo").train}
    cases = [case for test in TESTS for case in test.cases]
    known = {case.text for case in cases if normalise(case.text) in trained}
    assert len(known) < len(cases) / 50


@pytest.mark.parametrize(
    ("case", "answers", "passes"),
    [
        (Case("t", label=1), {"t": 0.6}, True),
        (Case("t", label=1), {"t": 0.5}, False),
        (Case("t", label=0), {"t": 0.6}, False),
        (Case("t", original="o"), {"t": 0.6, "o": 0.9}, True),
        (Case("t", original="o"), {"t": 0.4, "o": 0.9}, False),
        (Case("t", original="o", rises=True), {"t": 0.4, "o": 0.3}, True),
        (Case("t", original="o", rises=True), {"t": 0.4, "o": 0.4 + TOLERANCE / 2}, True),
        (Case("t", original="o", rises=True), {"t": 0.4, "o": 0.4 + TOLERANCE * 2}, False),
        (Case("t", original="o", rises=False), {"t": 0.4, "o": 0.3}, False),
        (Case("t", original="o", rises=False), {"t": 0.2, "o": 0.3}, True),
    ],
)
def test_case_passes_as_its_kind_says(case: Case, answers: dict[str, float], passes: bool) -> None:
    assert (case.excess(answers) <= 0) == passes
