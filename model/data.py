"""Labelled sentences, from the hub, a local folder, or the bundled corpus.

Whatever the source, a row becomes an `Example`: the text as it came and a label, 0 for NEGATIVE
and 1 for POSITIVE. What is wrong with a row is kept, not dropped: `read_splits` returns rows that
cannot become examples as `BadRow`s, so that the data check can show each with its file and line.

    python -m pipeline_steps.check_data --profile sst2 --data path/to/folder
"""

import csv
import hashlib
import io
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from model import demo_corpus

LABELS = ("NEGATIVE", "POSITIVE")
SPLITS = ("train", "validation")
SUFFIXES = (".tsv", ".csv", ".jsonl", ".parquet")
DEMO = "demo"


class DataError(ValueError):
    """The data cannot be read at all; the message names the file and what was expected."""


@dataclass(frozen=True)
class Example:
    """One labelled sentence; `label` is 0 (NEGATIVE) or 1 (POSITIVE)."""

    sentence: str
    label: int


@dataclass(frozen=True)
class BadRow:
    """A row that is not an example: `where` is the file and line, `problem` says what is wrong."""

    split: str
    where: str
    problem: str


@dataclass(frozen=True)
class Splits:
    """Both splits of a data set, and the rows that could not be used."""

    train: list[Example]
    validation: list[Example]
    bad_rows: list[BadRow] = field(default_factory=list)

    def hash(self) -> str:
        """SHA-256 over every example in order: the same rows give the same hash in any format."""
        digest = hashlib.sha256()
        for split in SPLITS:
            for example in getattr(self, split):
                row = json.dumps([split, example.sentence, example.label], ensure_ascii=False)
                digest.update(row.encode() + b"\n")
        return digest.hexdigest()


def read_splits(source: str, seed: int = 0) -> Splits:
    """Read `source`: "demo" (bundled corpus, by `seed`), a local folder, or a hub data set's name.

    Raises:
        DataError: the source does not exist, a split is missing, or a file cannot be read.
    """
    if source == DEMO:
        train, validation = demo_corpus.generate(seed)
        return Splits([Example(*row) for row in train], [Example(*row) for row in validation])
    readers = _folder_readers(Path(source)) if _is_path(source) else _hub_readers(source)
    examples: dict[str, list[Example]] = {}
    bad_rows: list[BadRow] = []
    for split, rows in readers.items():
        examples[split] = []
        for where, row in rows:
            problem = _problem_of(row)
            if problem:
                bad_rows.append(BadRow(split, where, problem))
            else:
                examples[split].append(Example(row["sentence"], int(row["label"])))
    return Splits(examples["train"], examples["validation"], bad_rows)


def _is_path(source: str) -> bool:
    # A hub name never exists on disk and has at most one slash ("owner/name").
    return Path(source).exists() or source.startswith((".", "/", "~")) or source.count("/") > 1


def problem_of_sentence(sentence: Any) -> str | None:
    """What is wrong with what stands where a sentence should; None where nothing is."""
    if not isinstance(sentence, str):
        return f"sentence is {sentence!r}, expected text"
    if not sentence.strip():
        return "sentence is empty or white space, expected text"
    if any("\ud800" <= char <= "\udfff" for char in sentence):
        return "sentence holds half of a surrogate pair, expected Unicode text"
    return None


def _problem_of(row: dict[str, Any]) -> str | None:
    problem = problem_of_sentence(row.get("sentence"))
    if problem:
        return problem
    label = row.get("label")
    if str(label) not in ("0", "1"):
        return f"label is {label!r}, expected 0 (NEGATIVE) or 1 (POSITIVE)"
    if None in row:
        return f"has more columns than the header: {row[None]!r}"  # type: ignore[index]
    return None


Rows = Iterator[tuple[str, dict[str, Any]]]


def _folder_readers(folder: Path) -> dict[str, Rows]:
    folder = folder.expanduser()
    if not folder.is_dir():
        raise DataError(
            f"No data folder at {str(folder)!r}. Expected a folder with train and validation files "
            f"({', '.join(SUFFIXES)}). Pass it with --data, or use --data demo."
        )
    return {split: _read_file(_split_file(folder, split)) for split in SPLITS}


def _split_file(folder: Path, split: str) -> Path:
    found = [
        folder / (split + suffix) for suffix in SUFFIXES if (folder / (split + suffix)).exists()
    ]
    if len(found) == 1:
        return found[0]
    there = ", ".join(sorted(path.name for path in folder.iterdir())) or "nothing"
    wanted = " or ".join(split + suffix for suffix in SUFFIXES)
    raise DataError(
        f"Expected exactly one {split} file ({wanted}) in {str(folder)!r}, found {len(found)}. "
        f"The folder holds: {there}."
    )


def _read_file(path: Path) -> Rows:
    if path.suffix == ".parquet":
        return _read_parquet(path)
    text = _read_text(path)
    if path.suffix == ".jsonl":
        return _read_jsonl(path, text)
    return _read_table(path, text, "\t" if path.suffix == ".tsv" else ",")


def _read_text(path: Path) -> str:
    try:
        return path.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = path.read_bytes()[: error.start].count(b"\n") + 1
        raise DataError(
            f"{path}:{line}: not UTF-8 (byte {error.object[error.start]:#04x} at offset "
            f"{error.start}). Save the file as UTF-8 and run again."
        ) from None
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror}). Check the file.") from error


def _read_table(path: Path, text: str, delimiter: str) -> Rows:
    # SST-2's TSV quotes nothing and holds bare quotation marks; CSV quotes as usual.
    quoting: Literal[0, 3] = csv.QUOTE_NONE if delimiter == "\t" else csv.QUOTE_MINIMAL
    # newline="": only csv may decide what ends a row; str.splitlines also splits at U+2028.
    lines = io.StringIO(text, newline="")
    reader: csv.DictReader[str] = csv.DictReader(lines, delimiter=delimiter, quoting=quoting)
    try:
        _require_columns(path, reader.fieldnames or ())
        for row in reader:
            yield f"{path}:{reader.line_num}", row
    except csv.Error as error:
        raise DataError(f"{path}:{reader.line_num}: not a readable table ({error}).") from error


def _read_jsonl(path: Path, text: str) -> Rows:
    for number, line in enumerate(text.split("\n"), start=1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except json.JSONDecodeError as error:
            raise DataError(
                f"{path}:{number}: not JSON ({error}). Expected one object a line."
            ) from None
        if not isinstance(row, dict):
            raise DataError(f"{path}:{number}: expected a JSON object, found {line[:60]!r}.")
        _require_columns(f"{path}:{number}", row)
        yield f"{path}:{number}", row


def _read_parquet(path: Path) -> Rows:
    from pyarrow import ArrowException, parquet  # noqa: PLC0415 - slow; only Parquet needs it

    try:
        table = parquet.read_table(path)
    except (ArrowException, OSError) as error:
        raise DataError(f"{path}: not a readable Parquet file ({error}).") from error
    _require_columns(path, table.column_names)
    return ((f"{path}: row {number}", row) for number, row in enumerate(table.to_pylist(), start=1))


def _require_columns(where: Path | str, columns: Iterable[str]) -> None:
    missing = {"sentence", "label"} - set(columns)
    if missing:
        raise DataError(
            f"{where}: no column {' and no column '.join(repr(name) for name in sorted(missing))}. "
            f"Expected the columns 'sentence' and 'label', found {list(columns)!r}."
        )


def _hub_readers(name: str) -> dict[str, Rows]:
    from datasets import load_dataset  # noqa: PLC0415 - slow; only the hub needs it
    from datasets.exceptions import DatasetNotFoundError  # noqa: PLC0415

    try:
        dataset = load_dataset(name)
    except (DatasetNotFoundError, OSError, ValueError) as error:
        raise DataError(
            f"The data set {name!r} cannot be loaded from the Hugging Face hub ({error}). "
            "Check the name and the network, or pass a local folder with --data."
        ) from error
    missing = set(SPLITS) - set(dataset)
    if missing:
        raise DataError(
            f"The data set {name!r} has no split {sorted(missing)}, only {list(dataset)}."
        )
    for split in SPLITS:
        _require_columns(f"{name}/{split}", dataset[split].column_names)
    return {
        split: ((f"{name}/{split}: row {number}", row) for number, row in enumerate(dataset[split]))
        for split in SPLITS
    }
