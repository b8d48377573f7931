"""Reading labelled sentences: every format gives the same rows, every fault names its place."""

import csv
import json
from pathlib import Path

import huggingface_hub.constants
import pyarrow
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pyarrow import parquet

from model import data
from model.data import DataError, Example, read_splits

ROWS = [("a fine film", 1), ('she said "no" , twice', 0), ("naïve — très bien 🎬", 1)]


def write_tsv(path: Path, rows: list[tuple[str, object]], header: str = "sentence\tlabel") -> None:
    lines = [header, *(f"{sentence}\t{label}" for sentence, label in rows)]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


def write_csv(path: Path, rows: list[tuple[str, int]]) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([("sentence", "label"), *rows])


def write_jsonl(path: Path, rows: list[tuple[str, int]]) -> None:
    lines = [json.dumps({"sentence": sentence, "label": label}) for sentence, label in rows]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


def write_parquet(path: Path, rows: list[tuple[str, int]]) -> None:
    sentences, labels = zip(*rows, strict=True)
    parquet.write_table(pyarrow.table({"sentence": sentences, "label": labels}), path)


WRITERS = {"tsv": write_tsv, "csv": write_csv, "jsonl": write_jsonl, "parquet": write_parquet}


def make_folder(folder: Path, suffix: str = "tsv", rows: list[tuple[str, int]] = ROWS) -> Path:
    folder.mkdir(exist_ok=True)
    for split in data.SPLITS:
        WRITERS[suffix](folder / f"{split}.{suffix}", rows)
    return folder


@pytest.mark.parametrize("suffix", WRITERS)
def test_every_format_gives_the_rows(tmp_path: Path, suffix: str) -> None:
    splits = read_splits(str(make_folder(tmp_path / "data", suffix)))
    assert splits.train == splits.validation == [Example(*row) for row in ROWS]
    assert splits.bad_rows == []


def test_hash_ignores_format_but_not_rows(tmp_path: Path) -> None:
    hashes = {read_splits(str(make_folder(tmp_path / suffix, suffix))).hash() for suffix in WRITERS}
    assert len(hashes) == 1
    flipped = [(sentence, 1 - label) for sentence, label in ROWS]
    changed = read_splits(str(make_folder(tmp_path / "other", rows=flipped)))
    assert changed.hash() not in hashes
    swapped = read_splits(str(make_folder(tmp_path / "swapped", rows=ROWS[::-1])))
    assert swapped.hash() not in hashes


# Anything a CSV cell may hold, line ends of other alphabets included; not what a text file cannot.
CHARACTERS = st.characters(exclude_categories=["Cs"], exclude_characters="\r\x00")
CELLS = st.text(CHARACTERS).filter(str.strip)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(rows=st.lists(st.tuples(CELLS, st.integers(0, 1)), min_size=1, max_size=5))
def test_csv_and_jsonl_keep_any_text(tmp_path: Path, rows: list[tuple[str, int]]) -> None:
    for suffix in ("csv", "jsonl"):
        splits = read_splits(str(make_folder(tmp_path / suffix, suffix, rows)))
        assert splits.train == [Example(*row) for row in rows]


def test_byte_order_mark_is_no_text(tmp_path: Path) -> None:
    folder = make_folder(tmp_path / "data")
    path = folder / "train.tsv"
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes())
    assert read_splits(str(folder)).train == [Example(*row) for row in ROWS]


@pytest.mark.parametrize("label", ["2", "-1", "1.0", "positive", "", " 1"])
def test_label_outside_the_set_is_told(tmp_path: Path, label: str) -> None:
    folder = make_folder(tmp_path / "data")
    write_tsv(folder / "train.tsv", [("a fine film", 1), ("odd", label)])
    splits = read_splits(str(folder))
    assert splits.train == [Example("a fine film", 1)]
    (bad,) = splits.bad_rows
    assert bad.where.endswith("train.tsv:3")
    assert repr(label) in bad.problem


def test_half_a_surrogate_pair_is_told(tmp_path: Path) -> None:
    folder = make_folder(tmp_path / "data", "jsonl")
    row = '{"sentence": "odd \\ud83d", "label": 1}\n'
    (folder / "train.jsonl").write_text(row, encoding="utf-8")
    (bad,) = read_splits(str(folder)).bad_rows
    assert "surrogate" in bad.problem


def test_row_of_other_width_is_told(tmp_path: Path) -> None:
    folder = make_folder(tmp_path / "data")
    (folder / "train.tsv").write_text("sentence\tlabel\nfine\t1\tmore\nalone\n", encoding="utf-8")
    first, second = read_splits(str(folder)).bad_rows
    assert "more columns" in first.problem
    assert second.where.endswith("train.tsv:3")


def test_missing_column_names_the_file(tmp_path: Path) -> None:
    folder = make_folder(tmp_path / "data")
    write_tsv(folder / "train.tsv", [("fine", 1)], header="text\tlabel")
    with pytest.raises(DataError, match=r"train\.tsv: no column 'sentence'.*found \['text'"):
        read_splits(str(folder))


def test_missing_folder_says_what_to_pass(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"No data folder at .*nowhere.*--data"):
        read_splits(str(tmp_path / "nowhere"))


def test_missing_split_lists_what_is_there(tmp_path: Path) -> None:
    folder = make_folder(tmp_path / "data")
    (folder / "validation.tsv").unlink()
    with pytest.raises(DataError, match=r"one validation file .*holds: train\.tsv"):
        read_splits(str(folder))


def test_two_files_of_a_split_are_refused(tmp_path: Path) -> None:
    folder = make_folder(tmp_path / "data")
    write_csv(folder / "train.csv", ROWS)
    with pytest.raises(DataError, match="found 2"):
        read_splits(str(folder))


def test_other_encoding_names_line_and_byte(tmp_path: Path) -> None:
    folder = make_folder(tmp_path / "data")
    (folder / "train.tsv").write_bytes("sentence\tlabel\nfine\t1\ntrès bien\t1\n".encode("latin-1"))
    with pytest.raises(DataError, match=r"train\.tsv:3: not UTF-8 \(byte 0xe8"):
        read_splits(str(folder))


def test_broken_json_names_the_line(tmp_path: Path) -> None:
    folder = make_folder(tmp_path / "data", "jsonl")
    (folder / "train.jsonl").write_text(
        '{"sentence": "fine", "label": 1}\n{"sent', encoding="utf-8"
    )
    with pytest.raises(DataError, match=r"train\.jsonl:2: not JSON"):
        read_splits(str(folder))


def test_truncated_parquet_names_the_file(tmp_path: Path) -> None:
    folder = make_folder(tmp_path / "data", "parquet")
    path = folder / "train.parquet"
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(DataError, match=r"train\.parquet: not a readable Parquet file"):
        read_splits(str(folder))


def test_unreachable_hub_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    with pytest.raises(DataError, match=r"'nobody/nothing-like-it' cannot be loaded.*--data"):
        read_splits("nobody/nothing-like-it")


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::ResourceWarning")
def test_hub_layout_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # GIVEN a repository as the hub lays it out, on disk
    monkeypatch.setenv("HF_HOME", str(tmp_path / "home"))
    repository = tmp_path / "sst2" / "data"
    repository.mkdir(parents=True)
    for split in data.SPLITS:
        write_parquet(repository / f"{split}-00000-of-00001.parquet", ROWS)
    # WHEN it is read by the code that reads from the hub
    readers = data._hub_readers(str(tmp_path / "sst2"))
    # THEN its rows are the same as any other source's
    assert [row["sentence"] for _, row in readers["train"]] == [sentence for sentence, _ in ROWS]


def test_real_sst2_is_read_whole(shared: Path) -> None:
    splits = read_splits(str(shared / "data" / "sst2"))
    assert (len(splits.train), len(splits.validation)) == (67_349, 872)
    assert sum(example.label for example in splits.validation) == 444
    assert splits.bad_rows == []
