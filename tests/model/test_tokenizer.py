"""Tokenizers: the trained one, T5's own, and the file both are known by."""

from pathlib import Path

import huggingface_hub.constants
import pytest
from tokenizers import Tokenizer

from model.tokenizer import (
    TokenizerError,
    load_tokenizer,
    require_vocabulary_of,
    tokenizer_id,
    train_tokenizer,
)

COMMIT = "df1b051c49625cf57a3d0d8d3863ed4d13564fe4"
TEXTS = [
    f"{opening} {noun} was {adverb} {adjective}, {ending}"
    for opening in ("The", "This", "That old")
    for noun in ("film", "plot", "acting", "script")
    for adverb in ("really", "never", "almost")
    for adjective in ("moving", "wonderful", "dull", "boring")
    for ending in ("I think.", "don't you agree?")
]


def test_training_repeats():
    # The hash maps inside `tokenizers` get another seed each time, in one process too.
    assert len({tokenizer_id(train_tokenizer(TEXTS, 120)) for _ in range(4)}) == 1


@pytest.mark.parametrize("of_hub", [False, True], ids=["folder", "hub name"])
def test_backbone_of_another_vocabulary_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, of_hub: bool
):
    # GIVEN a backbone in a folder, or in the hub's cache: https://huggingface.co/docs/hub/local-cache
    backbone, folder = str(tmp_path), tmp_path
    if of_hub:
        monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
        monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path))
        backbone = f"some/t5@{COMMIT}"
        folder = tmp_path / "models--some--t5" / "snapshots" / COMMIT
    own, other = train_tokenizer(TEXTS, 120), train_tokenizer(TEXTS[:40], 120)
    require_vocabulary_of(backbone, other)  # no tokenizer.json to hold it against
    own.save_pretrained(folder)
    require_vocabulary_of(backbone, own)
    with pytest.raises(TokenizerError, match=r"learned \d+ pieces, and only \d+ of them"):
        require_vocabulary_of(backbone, other)


def test_special_tokens_keep_their_places():
    tokenizer = train_tokenizer(TEXTS, 150)
    assert tokenizer.convert_tokens_to_ids(["<pad>", "</s>", "<unk>"]) == [0, 1, 2]
    assert tokenizer("The film was dull").input_ids[-1] == 1
    assert len(tokenizer) <= 150


def test_frequent_words_become_pieces():
    tokenizer = train_tokenizer(TEXTS, 400)
    pieces = tokenizer.tokenize("THE FILM was wonderful, dull")
    assert pieces == ["▁the", "▁film", "▁was", "▁wonderful", ",", "▁dull"]
    assert tokenizer.decode(tokenizer("dull, isn't it?").input_ids[:-1]) == "dull, isn't it?"
    assert 2 not in tokenizer("xylophone & 99%!").input_ids
    assert 2 in tokenizer("\N{SNOWMAN}").input_ids


def test_saved_file_gives_same_ids(tmp_path: Path):
    tokenizer = train_tokenizer(TEXTS, 150)
    tokenizer.save_pretrained(tmp_path)
    plain = Tokenizer.from_file(str(tmp_path / "tokenizer.json"))
    again = load_tokenizer(str(tmp_path))
    for text in (*TEXTS[:20], "  Unseen   words, \tééé… ", ""):
        assert plain.encode(text).ids == tokenizer(text).input_ids == again(text).input_ids
    assert tokenizer_id(again) == tokenizer_id(tokenizer)


def test_id_follows_the_vocabulary():
    assert tokenizer_id(train_tokenizer(TEXTS, 120)) != tokenizer_id(train_tokenizer(TEXTS, 130))


def test_id_ignores_truncation_in_use():
    tokenizer = train_tokenizer(TEXTS, 120)
    before = tokenizer_id(tokenizer)
    tokenizer("The film", truncation=True, max_length=2)
    assert tokenizer_id(tokenizer) == before


@pytest.mark.parametrize(("texts", "size"), [([], 200), (["  "], 200), (TEXTS, 20)])
def test_untrainable_input_is_refused(texts: list[str], size: int):
    with pytest.raises(TokenizerError):
        train_tokenizer(texts, size)


def test_truncated_file_is_named(tmp_path: Path):
    train_tokenizer(TEXTS, 120).save_pretrained(tmp_path)
    path = tmp_path / "tokenizer.json"
    path.write_text(path.read_text()[:-100])
    with pytest.raises(TokenizerError, match=r"tokenizer\.json is not a tokenizer"):
        load_tokenizer(str(tmp_path))


def test_other_special_tokens_are_refused(tmp_path: Path):
    train_tokenizer(TEXTS, 120).save_pretrained(tmp_path)
    path = tmp_path / "tokenizer.json"
    path.write_text(path.read_text().replace("<unk>", "[UNK]"))
    with pytest.raises(TokenizerError, match="not a T5 tokenizer"):
        load_tokenizer(str(tmp_path))


def test_missing_tokenizer_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    for name in (str(tmp_path), "nobody/nothing"):
        with pytest.raises(TokenizerError, match=r"No tokenizer\.json for"):
            load_tokenizer(name)


def test_real_t5_tokenizer_agrees(shared: Path, tmp_path: Path):
    folder = shared / "models" / "t5-small-tokenizer"
    tokenizer = load_tokenizer(str(folder))
    plain = Tokenizer.from_file(str(folder / "tokenizer.json"))
    rows = (shared / "data" / "sst2" / "validation.tsv").read_text("utf-8").splitlines()[1:200]
    for text in (row.split("\t")[0] for row in rows):
        assert tokenizer(text).input_ids == plain.encode(text).ids
    assert tokenizer("a charming film").input_ids == [3, 9, 12216, 814, 1]
    tokenizer.save_pretrained(tmp_path)
    assert tokenizer_id(load_tokenizer(str(tmp_path))) == tokenizer_id(tokenizer)
