"""The texts of a file of any size, one at a time, and their way into requests."""

import csv
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from io import TextIOWrapper
from itertools import islice
from pathlib import Path
from typing import IO, Any

from pipeline_steps.errors import DataCheckError
from pipeline_steps.files import hash_of

SUFFIXES = (".csv", ".tsv", ".jsonl", ".txt", ".parquet")
CHUNK_RECORDS = 128  # of one request: answered in seconds even if all are long
CHUNK_BYTES = 1_000_000
LONGEST = 200_000  # characters that are sent of a text; the server refuses half as many by itself


@dataclass
class TextSource:
    """One input file; `size` and `position()` are in bytes, or in rows of a Parquet file."""

    path: Path
    column: str
    size: int
    advice: str  # to whom the column is missing
    _file: IO[Any] | None = field(default=None, repr=False)
    _rows: int = 0

    @classmethod
    def open(cls, path: Path, column: str, advice: str = "Name it with --column.") -> "TextSource":
        """Look at `path`.

        Raises:
            DataCheckError: not there, not readable, or of no kind that is known.
        """
        if path.suffix not in SUFFIXES:
            raise DataCheckError(f"{path}: expected one of {', '.join(SUFFIXES)}.")
        try:
            with path.open("rb"):
                size = path.stat().st_size
        except OSError as error:
            raise DataCheckError(f"{path}: cannot be read ({error.strerror}).") from None
        return cls(path, column, size, advice)

    def identity(self) -> str:
        """What tells that it is still the same file, without reading it."""
        stat = self.path.stat()
        return hash_of([str(self.path.resolve()), stat.st_size, stat.st_mtime_ns, self.column])

    def position(self) -> int:
        """How far it is read."""
        if self._file is None:
            return self._rows
        return self.size if self._file.closed else self._file.tell()

    def texts(self, skip: int = 0) -> Iterator[Any]:
        """What stands where a text should, record by record, after the first `skip` records.

        Raises:
            DataCheckError: the column is missing, or the file is not of the kind that it is called.
        """
        if self.path.suffix == ".parquet":
            yield from islice(self._parquet(), skip, None)
            return
        with self.path.open("rb") as self._file:
            # In a table only csv may decide what ends a row; else only a line feed ends a line.
            newline = "" if self.path.suffix in (".csv", ".tsv") else "\n"
            lines = TextIOWrapper(self._file, encoding="utf-8-sig", newline=newline)
            readers = {".txt": self._lines, ".jsonl": self._json_lines}
            reader = readers.get(self.path.suffix, self._table)
            try:
                yield from islice(reader(lines), skip, None)
            except UnicodeDecodeError as error:
                raise DataCheckError(
                    f"{self.path}: not UTF-8 ({error}). Save it as UTF-8."
                ) from None

    def _lines(self, file: TextIOWrapper) -> Iterator[str]:
        return (line.rstrip("\r\n") for line in file)

    def _json_lines(self, file: TextIOWrapper) -> Iterator[Any]:
        for number, line in enumerate(file, start=1):
            if not line.strip():
                continue  # no record, as in CSV
            try:
                record = json.loads(line)
            except (ValueError, RecursionError) as error:
                raise DataCheckError(f"{self.path}:{number}: not JSON ({error}).") from None
            if not isinstance(record, dict):
                raise DataCheckError(f"{self.path}:{number}: expected an object a line.")
            self._require(record, f"{self.path}:{number}")
            yield record[self.column]

    def _table(self, file: TextIOWrapper) -> Iterator[Any]:
        csv.field_size_limit(2**31 - 1)
        if self.path.suffix == ".tsv":  # SST-2's quotes nothing and holds bare quotation marks
            table = csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE)
        else:
            table = csv.DictReader(file, strict=True)
        try:
            self._require(dict.fromkeys(table.fieldnames or ()), str(self.path))
            yield from (row[self.column] for row in table)
        except csv.Error as error:
            raise DataCheckError(f"{self.path}:{table.line_num}: not a table ({error}).") from None

    def _parquet(self) -> Iterator[Any]:
        from pyarrow import ArrowException, parquet  # noqa: PLC0415 - slow; only Parquet needs it

        try:
            with parquet.ParquetFile(self.path) as file:
                self.size = file.metadata.num_rows
                self._require(dict.fromkeys(file.schema_arrow.names), str(self.path))
                for batch in file.iter_batches(columns=[self.column]):
                    for text in batch.column(0).to_pylist():
                        self._rows += 1
                        yield text
        except ArrowException as error:
            raise DataCheckError(f"{self.path}: not a readable Parquet file ({error}).") from None

    def _require(self, record: dict[str, Any], where: str) -> None:
        if self.column not in record:
            raise DataCheckError(
                f"{where}: no column {self.column!r}, only {list(record)}. {self.advice}"
            )


def chunks(texts: Iterator[Any]) -> Iterator[tuple[int, bytes]]:
    """Requests in JSON Lines for `texts`, each with how many records it holds."""
    sent = (text[:LONGEST] if isinstance(text, str) else None for text in texts)
    lines = (json.dumps({"inputs": text}).encode() + b"\n" for text in sent)
    for chunk in bounded(lines, CHUNK_RECORDS):
        yield len(chunk), b"".join(chunk)


def bounded(
    records: Iterable[bytes], most: int, most_bytes: int = CHUNK_BYTES
) -> Iterator[list[bytes]]:
    """`records` in chunks of `most` and `most_bytes` at most; one that is larger is alone."""
    chunk: list[bytes] = []
    size = 0
    for record in records:
        if chunk and (len(chunk) == most or size + len(record) > most_bytes):
            yield chunk
            chunk, size = [], 0
        chunk.append(record)
        size += len(record)
    if chunk:
        yield chunk
