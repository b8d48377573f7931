"""The demo corpus: sizes, balance, no leak, right labels, and not solvable word by word."""

import math
import os
import re
import subprocess
import sys
from collections import Counter
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from model import demo_corpus
from model.demo_corpus import Example, Pools, generate
from model.demo_fragments import TRAIN, VALIDATION

README_EXAMPLE = "I absolutely loved this movie!"


@pytest.fixture(scope="module")
def corpus() -> tuple[list[Example], list[Example]]:
    return generate()


def words(sentence: str) -> list[str]:
    return re.findall(r"[a-z']+", sentence.lower())


def bare(sentence: str) -> str:
    return " ".join(words(sentence))


def signs(pools: Pools) -> dict[str, set[int]]:
    """Every wording that carries a sign, with the labels it was found under."""
    found: dict[str, set[int]] = {}
    for (_, kind, label, _), fragments in pools.items():
        for fragment in fragments if kind != "neutral" else ():
            for wording in fragment.wordings:
                found.setdefault(bare(wording), set()).add(label)
    return found


def test_default_sizes_are_promised_ones(corpus: tuple[list[Example], list[Example]]) -> None:
    assert [len(split) for split in corpus] == [4800, 960]


@settings(max_examples=10, deadline=None)
@given(st.integers(), st.integers(2, 300), st.integers(2, 300))
def test_any_seed_and_size(seed: int, train_size: int, validation_size: int) -> None:
    train, validation = generate(seed, train_size, validation_size)
    for split, size in ((train, train_size), (validation, validation_size)):
        assert len(split) == size
        assert sum(label for _, label in split) == size // 2


def test_order_of_labels_is_mixed(corpus: tuple[list[Example], list[Example]]) -> None:
    labels = [label for _, label in corpus[0]]
    changes = sum(a != b for a, b in pairwise(labels))
    assert 0.4 < changes / len(labels) < 0.6


def test_hash_seed_changes_nothing() -> None:
    code = "import model.demo_corpus as d; print(d.generate(7, 400, 100))"
    printed = {
        subprocess.run(
            [sys.executable, "-c", code],
            env={**os.environ, "PYTHONHASHSEED": hash_seed},
            cwd=Path(demo_corpus.__file__).parents[1],
            capture_output=True,
            check=True,
        ).stdout
        for hash_seed in ("1", "2")
    }
    assert printed == {f"{generate(7, 400, 100)}{os.linesep}".encode()}


def test_seeds_give_other_sentences() -> None:
    assert generate(0, 50, 50) != generate(1, 50, 50) != generate(-1, 50, 50)


def test_splits_do_not_touch() -> None:
    assert generate(3, 60, 40)[0] == generate(3, 60, 80)[0]
    assert generate(3, 60, 40)[1] == generate(3, 90, 40)[1]


def test_no_sentence_comes_twice(corpus: tuple[list[Example], list[Example]]) -> None:
    counts = Counter(bare(sentence) for split in corpus for sentence, _ in split)
    assert counts.most_common(1)[0][1] == 1


def test_validation_clauses_are_unseen() -> None:
    train, validation = (signs(demo_corpus._pools(source)) for source in (TRAIN, VALIDATION))
    assert len(train) > 1000 and len(validation) > 500
    assert not train.keys() & validation.keys()


def test_validation_words_are_seen(corpus: tuple[list[Example], list[Example]]) -> None:
    known = {word for sentence, _ in corpus[0] for word in words(sentence)}
    asked = [word for sentence, _ in corpus[1] for word in words(sentence)]
    assert sum(word in known for word in asked) / len(asked) >= 0.90


@pytest.mark.parametrize("source", [TRAIN, VALIDATION], ids=["train", "validation"])
def test_no_wording_has_two_labels(source: str) -> None:
    assert not [
        text for text, labels in signs(demo_corpus._pools(source)).items() if len(labels) > 1
    ]


def test_last_clause_decides_label(corpus: tuple[list[Example], list[Example]]) -> None:
    for source, split in zip((TRAIN, VALIDATION), corpus, strict=True):
        known = signs(demo_corpus._pools(source))
        for sentence, label in split:
            text = words(sentence)
            ends = (" ".join(text[start:]) for start in range(len(text)))
            last = next(end for end in ends if end in known)  # the longest
            assert known[last] == {label}, sentence


@pytest.mark.parametrize(
    "pattern",
    [
        ", but ",
        "^(although|even though) .*, ",
        " and ",
        " not ",
        " never ",
        " hardly ",
        " (really|absolutely|utterly) ",
        r"^(.*, )?who could call .*\?$",
        r"\w\. \w",
    ],
)
def test_grammar_shows_in_both_labels(
    corpus: tuple[list[Example], list[Example]], pattern: str
) -> None:
    for split in corpus:
        hits = Counter(label for text, label in split if re.search(pattern, text.lower()))
        assert min(hits[0], hits[1]) >= 3


def test_case_is_mixed(corpus: tuple[list[Example], list[Example]]) -> None:
    lower = sum(sentence == sentence.lower() for sentence, _ in corpus[0]) / len(corpus[0])
    assert 0.2 < lower < 0.5


@pytest.mark.parametrize("seed", range(3))
def test_readme_example_is_unseen(seed: int) -> None:
    seen = {bare(sentence) for split in generate(seed) for sentence, _ in split}
    assert bare(README_EXAMPLE) not in seen
    assert set(words(README_EXAMPLE)) <= {word for sentence in seen for word in sentence.split()}


def test_words_alone_do_not_suffice(corpus: tuple[list[Example], list[Example]]) -> None:
    train, validation = corpus
    counts = [
        Counter(w for s, label in train if label == side for w in words(s)) for side in (0, 1)
    ]
    right = 0
    for sentence, label in validation:
        score = sum(math.log((counts[1][w] + 1) / (counts[0][w] + 1)) for w in set(words(sentence)))
        right += (score > 0) == label
    assert 0.55 < right / len(validation) < 0.90


@pytest.mark.parametrize("sizes", [{"train_size": 1}, {"validation_size": 0}, {"train_size": -5}])
def test_too_small_size_is_refused(sizes: dict[str, int]) -> None:
    with pytest.raises(ValueError, match=r"_size is -?\d+; give at least 2"):
        generate(**sizes)


def test_too_large_size_is_refused() -> None:
    with pytest.raises(
        ValueError, match=r"validation_size is 900000, .* ask for at most"
    ) as caught:
        generate(0, 2, 900_000)
    most = int(re.search(r"at most (\d+)", str(caught.value))[1])
    assert len(generate(0, 2, most)[1]) == most > 960


def test_main_prints_labelled_samples(capsys: pytest.CaptureFixture[str]) -> None:
    demo_corpus.main()
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 20
    assert all(re.match(r"(POSITIVE|NEGATIVE)  \w", line) for line in lines)
