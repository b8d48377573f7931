"""Progress of long work: a bar on a terminal, a line every few seconds elsewhere."""

import sys
import time
from types import TracebackType

from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

SECONDS_BETWEEN_LINES = 10.0


class ProgressReporter:
    """Shows how far something is; call `update` as often as you like."""

    def __init__(self, what: str) -> None:
        self._what = what
        self._bar: Progress | None = None
        self._printed = time.monotonic()
        if sys.stdout.isatty():
            columns = (TextColumn("  {task.description}"), BarColumn(), TaskProgressColumn())
            self._bar = Progress(*columns, TimeRemainingColumn(), TextColumn("{task.fields[note]}"))
            self._task = self._bar.add_task(what, total=None, note="")

    def __enter__(self) -> "ProgressReporter":
        if self._bar:
            self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None
    ) -> None:
        if self._bar:
            self._bar.stop()

    def update(self, done: int, total: int, note: str = "") -> None:
        """Say that `done` of `total` units are done; `note` is shown behind."""
        if self._bar:
            self._bar.update(self._task, completed=done, total=total, note=note)
        elif time.monotonic() - self._printed >= SECONDS_BETWEEN_LINES:
            self._printed = time.monotonic()
            print(f"  {self._what} {done:,}/{total:,} ({done / total:.0%}) {note}", flush=True)
