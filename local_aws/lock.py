"""Who serves a state folder: a lock that its holder keeps, with what others need to know."""

import fcntl
import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from pipeline_steps.errors import ConfigurationError


class StateLock:
    """The file `<state>/lock`; the operating system frees it when its holder ends, however."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._path = folder / "lock"
        self._file = self._path.open("a+")

    def acquire(self) -> None:
        """Take the lock.

        Raises:
            ConfigurationError: another server holds it.
        """
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            self._file.close()
            raise ConfigurationError(
                f"Another local AWS already serves {self._path.parent}. End it with "
                "`python -m local_aws stop` (or Ctrl-C where it runs), or choose another --state."
            ) from None
        self._file.truncate(0)

    def publish(self, facts: dict[str, Any]) -> None:
        """Let others read where the server is, now that it answers."""
        self._file.write(json.dumps(facts))
        self._file.flush()

    def release(self) -> None:
        """Let the next server have the folder."""
        self._file.truncate(0)
        self._file.close()


def is_held(folder: Path) -> bool:
    """Whether a server holds the folder's lock, ready or not."""
    return _is_locked(folder / "lock", fcntl.LOCK_SH)


@contextmanager
def in_use(folder: Path) -> Iterator[None]:
    """Mark the server as used by a command, so that nobody ends it meanwhile."""
    with (folder / "commands").open("a") as file:
        fcntl.flock(file, fcntl.LOCK_SH)
        yield


def is_in_use(folder: Path) -> bool:
    """Whether a command runs on the folder's server."""
    return _is_locked(folder / "commands", fcntl.LOCK_EX)


def _is_locked(path: Path, wanted: int) -> bool:
    if not path.exists():
        return False
    with path.open("a+") as file:
        try:
            fcntl.flock(file, wanted | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False


def read(folder: Path) -> dict[str, Any] | None:
    """What the server of this folder published; None if there is none, or it is not ready."""
    if not is_held(folder):
        return None
    text = (folder / "lock").read_text()
    return json.loads(text) if text else None
