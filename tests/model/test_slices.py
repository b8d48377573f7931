"""Slices: each rule on sentences that are plainly inside or outside."""

import pytest

from model.slices import SLICES, known_words, names_of, words_of


@pytest.mark.parametrize(
    ("name", "inside", "outside"),
    [
        ("short", "a good film", "a film that is as good as anybody could wish"),
        ("medium", "a film that is as good as any", "a good film"),
        ("long", "word " * 20, "word " * 19),
        ("negation", "I don’t like it", "nothingness is knotty"),
        ("negation", "they do n't care", "they do care"),
        ("negation", "a film without a plot", "a film with a plot"),
        ("contrast", "slow, but good", "butter is good"),
        ("question", "who likes this?", "who likes this"),
        ("number", "seen in 1999", "seen in June"),
        ("number", "two hours of fun", "hours of fun"),
        ("lower case", "a good film .", "A good film."),
        ("capitals", "a GOOD film", "A Good film in the US"),
    ],
)
def test_rule_tells_inside_from_outside(name: str, inside: str, outside: str) -> None:
    assert name in names_of(inside, None)
    assert name not in names_of(outside, None)


def test_rare_words_are_those_of_training() -> None:
    known = known_words(["a good film"] * 3 + ["a bad film"])
    assert known == {"a", "good", "film"}
    assert "rare words" in names_of("a bad film", known)
    assert "rare words" not in names_of("A GOOD film!", known)
    assert "rare words" not in names_of("a bad film", None)


def test_every_length_is_in_one_slice() -> None:
    for count in range(40):
        names = names_of("word " * count, None)
        assert len({"short", "medium", "long"} & set(names)) == 1


def test_words_keep_their_apostrophes() -> None:
    assert words_of("It's 3.5 stars, do n't you think?") == [
        *("it's", "3.5", "stars", "do", "n't", "you", "think")
    ]  # fmt: skip
    assert len({each.name for each in SLICES}) == len(SLICES)
