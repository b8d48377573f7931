"""What is held out of training: whole sentences, with the phrases that were cut from them."""

from collections.abc import Iterator
from contextlib import contextmanager
from unittest.mock import patch

from hypothesis import given
from hypothesis import strategies as st

from model import held_out
from model.data import Example, read_splits
from model.held_out import FEWEST, LONGEST, MOST, SHARE, normalise, split

# Few words and short rows: many a row is a phrase of another one, or its copy.
ROWS = st.lists(
    st.builds(
        Example,
        st.lists(st.sampled_from("abcABC!"), max_size=6).map(" ".join),
        st.integers(0, 1),
    ),
    min_size=1,
    max_size=25,
)


@contextmanager
def of_any_set(share: float) -> Iterator[None]:
    """However few its rows and its phrases are."""
    with patch.multiple(held_out, FEWEST=1, CUT=0.0, SHARE=share):
        yield


def is_in(part: str, whole: str) -> bool:
    """Whether the words of the one stand, in a row, in the other; slow and plain."""
    return bool(part) and f" {part} " in f" {whole} "


@given(rows=ROWS)
def test_each_row_has_one_place_and_each_row_left_out_its_reason(rows: list[Example]) -> None:
    with of_any_set(share=0.5):
        kept, held = split(rows)
        assert split(rows) == (kept, held)
    # In the order they came, and each in one part at most
    places = {id(row): place for place, row in enumerate(rows)}
    for part in (kept, held):
        assert [places[id(row)] for row in part] == sorted(places[id(row)] for row in part)
    assert not {id(row) for row in kept} & {id(row) for row in held}

    kept_texts = {normalise(row.sentence) for row in kept}
    held_texts = {normalise(row.sentence) for row in held}
    assert not kept_texts & held_texts
    texts = {normalise(row.sentence) for row in rows}
    for text in texts:
        in_held = any(is_in(text, other) for other in held_texts)
        in_kept = any(is_in(text, other) for other in kept_texts - {text})
        if text in held_texts:  # a whole sentence
            assert not any(is_in(text, other) for other in texts - {text})
        elif text in kept_texts:
            assert in_kept or not in_held
        else:
            assert in_held
            assert not in_kept


@given(rows=ROWS, more=ROWS)
def test_more_sentences_move_none_that_was_there(rows: list[Example], more: list[Example]) -> None:
    apart = [Example(f"new {row.sentence} {n}", row.label) for n, row in enumerate(more)]
    with of_any_set(share=0.5):
        before = split(rows)[1]
        after = split([*rows, *apart])[1]
    still = {normalise(row.sentence) for row in after}
    assert {
        text
        for text in (normalise(row.sentence) for row in before)
        if not any(is_in(text, normalise(row.sentence)) for row in apart)
    } <= still


def test_held_out_rows_are_few_and_the_same_each_time() -> None:
    rows = read_splits("demo").train
    kept, held = split(rows)
    assert 0.5 * SHARE < len(held) / len(rows) < 1.5 * SHARE
    assert sorted(map(id, [*kept, *held])) == sorted(map(id, rows))
    assert split(rows) == (kept, held)
    assert {row.label for row in held} == {0, 1}


def test_sentence_goes_with_all_that_was_cut_from_it() -> None:
    sentences = [f"the {n} film is a joy" for n in range(1000)]
    phrases = [f"the {n} film" for n in range(1000)] + [f"{n} film is" for n in range(1000)]
    kept, held = split([Example(text, 1) for text in [*sentences, *phrases, "a joy"]])
    numbers = {row.sentence.split()[1] for row in held}
    assert numbers
    assert {row.sentence for row in held} <= set(sentences)
    assert not numbers & {word for row in kept for word in row.sentence.split()}
    assert Example("a joy", 1) in kept  # other sentences have it, too


def test_short_row_of_a_set_that_was_not_cut_may_be_held_out() -> None:
    rows = [Example(f"film {n}", 1) for n in range(1000)]
    rows += [Example(f"a longer one than film {n} it is", 1) for n in range(300)]
    rows += [Example(f"none of those {n}", 1) for n in range(1000)]
    kept, held = split(rows)
    assert len(kept) + len(held) == len(rows)
    assert {row.sentence for row in held} & {f"film {n}" for n in range(300)}


def test_sentences_alike_stay_together() -> None:
    rows = [Example(f"film {n}", 1) for n in range(2000)]
    rows += [Example(f"Film {n}!", 1) for n in range(2000)]
    _, held = split(rows)
    assert held
    assert {r.sentence for r in held if "!" in r.sentence} == {
        f"{row.sentence.capitalize()}!" for row in held if "!" not in row.sentence
    }


def test_small_set_spares_no_row_and_a_large_one_few() -> None:
    assert split([Example(f"film {n}", 1) for n in range(FEWEST - 1)])[1] == []
    _, held = split([Example(f"film {n}", 1) for n in range(100_000)])
    assert 0.8 * MOST < len(held) < 1.2 * MOST


def test_row_too_long_to_be_a_phrase_is_a_sentence() -> None:
    long = [" ".join(f"w{n}" for n in range(LONGEST + extra)) for extra in (1, 2)]
    with of_any_set(share=1.0):
        kept, held = split([Example(text, 1) for text in [*long, "w3 w4 w5"]])
    assert [row.sentence for row in held] == long
    assert kept == []
