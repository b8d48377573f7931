"""The child processes of a local AWS, written down so that none outlives a killed server."""

import json
import threading
from pathlib import Path

import psutil

SAME_START_SECONDS = 2.0  # the clock may have been set since; a reused number differs by more


class Children:
    """The processes started from one state folder, kept in the file `path`."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.Lock()
        self._started: dict[int, float] = {}

    def add(self, pid: int) -> None:
        """Remember a process that was just started."""
        with self._lock:
            self._started[pid] = psutil.Process(pid).create_time()
            self._write()

    def discard(self, pid: int) -> None:
        """Forget a process that has ended."""
        with self._lock:
            self._started.pop(pid, None)
            self._write()

    def end_leftovers(self) -> None:
        """End what an earlier server, killed before it could clean up, left running."""
        try:
            leftovers = json.loads(self._path.read_text())
        except (FileNotFoundError, ValueError):
            return
        for pid, started in leftovers:
            try:
                process = psutil.Process(pid)
                # The number alone may belong to somebody else by now.
                if abs(process.create_time() - started) < SAME_START_SECONDS:
                    process.kill()
                    process.wait(5)
            except psutil.NoSuchProcess:
                continue
        self._path.unlink()

    def _write(self) -> None:
        temporary = self._path.with_suffix(".part")
        temporary.write_text(json.dumps(list(self._started.items())))
        temporary.replace(self._path)
