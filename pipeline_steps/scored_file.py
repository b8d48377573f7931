"""A file that is written in whole chunks and knows how far it is, whenever it is killed."""

import fcntl
import json
import os
from pathlib import Path
from types import TracebackType
from typing import Any

from pipeline_steps.errors import ConfigurationError
from pipeline_steps.files import write_atomically

CSV_HEADER = b"label,score,error\n"


class ScoredFile:
    """The answers to one job, in `<path>.part` until all are there; use it in a `with` statement.

    Args:
        path: where the answers belong in the end.
        job: what they depend on; only the same job may go on with what is there.

    Raises:
        ConfigurationError: on entering, `path` is there, or its part is of another job, in use, or
            shorter than it was.
    """

    def __init__(self, path: Path, job: dict[str, Any]) -> None:
        self.records = 0  # whose answers are in the file for good
        self._path, self._job = path, job
        self._part = path.with_name(path.name + ".part")
        self._progress = path.with_name(path.name + ".progress")

    def __enter__(self) -> "ScoredFile":
        if self._path.exists():
            raise ConfigurationError(f"{self._path} is there already. Move it, or name another.")
        try:
            self._file = self._part.open("ab")
        except OSError as error:
            raise ConfigurationError(
                f"{self._part}: cannot be written ({error.strerror})."
            ) from None
        try:
            self._take_up()
        except BaseException:
            self._file.close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None
    ) -> None:
        self._file.close()

    def _take_up(self) -> None:
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise ConfigurationError(f"{self._part} is in use by another run.") from None
        size = os.fstat(self._file.fileno()).st_size
        progress: dict[str, Any] = {"records": 0}
        # Without a part, it tells of one that has been finished, or taken away.
        if size and self._progress.exists():
            progress = json.loads(self._progress.read_text(encoding="utf-8"))
        if not progress["records"]:
            self._progress.unlink(missing_ok=True)
            self._file.truncate(0)
            self.append(CSV_HEADER if self._path.suffix == ".csv" else b"", 0)
            return
        if progress["job"] != self._job:
            raise ConfigurationError(
                f"{self._part} was begun with another input, column or model. Delete it and "
                f"{self._progress.name} to begin anew, or name another output."
            )
        if size < progress["bytes"]:
            raise ConfigurationError(
                f"{self._part} has {size:,} bytes, expected at least the {progress['bytes']:,} "
                f"that {self._progress.name} tells of: something has cut it. Delete it and "
                f"{self._progress.name} to begin anew, or name another output."
            )
        # What was appended without being recorded is answered again.
        self._file.truncate(progress["bytes"])
        self._file.seek(progress["bytes"])
        self.records = progress["records"]

    def append(self, answers: bytes, records: int) -> None:
        """Add a chunk: first its bytes, then that they are there."""
        self._file.write(answers)
        self._file.flush()
        os.fsync(self._file.fileno())
        self.records += records
        progress = {"job": self._job, "records": self.records, "bytes": self._file.tell()}
        write_atomically(self._progress, lambda path: path.write_text(json.dumps(progress)))

    def finish(self) -> None:
        """Put the whole file in its place."""
        # In this order: killed in between, nothing is answered again.
        self._part.replace(self._path)
        self._progress.unlink()
