"""Run a command and measure its wall time and the memory of all its processes together."""

import contextlib
import os
import subprocess
import time
from dataclasses import dataclass

import psutil

SAMPLE_SECONDS = 0.2


@dataclass(frozen=True)
class Measured:
    """Wall time in seconds; `peak_bytes` of memory, all processes of the tree together."""

    seconds: float
    peak_bytes: int


def measure(command: list[str], also: list[str] | None = None) -> Measured:
    """Run `command` to its end.

    Args:
        also: words that the command line of a detached process must hold to be counted as well,
            such as a server that the command leaves in the background.

    Raises:
        subprocess.CalledProcessError: the command failed.
    """
    started = time.monotonic()
    peak = 0
    with subprocess.Popen(command) as process:
        while process.poll() is None:
            peak = max(peak, bytes_of([process.pid, *_detached(also)]))
            time.sleep(SAMPLE_SECONDS)
        seconds = time.monotonic() - started
    if process.returncode:
        raise subprocess.CalledProcessError(process.returncode, command)
    return Measured(seconds, peak)


def memory_of(words: list[str]) -> int:
    """Bytes of the detached processes whose command line holds `words`, and of all below them."""
    return bytes_of(_detached(words))


def processor_seconds(words: list[str], within: str) -> float:
    """What those of the same processes have computed so far whose command line holds `within`."""
    seconds = 0.0
    for root in map(psutil.Process, _detached(words)):
        for process in (root, *root.children(recursive=True)):
            with contextlib.suppress(psutil.NoSuchProcess):
                if within in " ".join(process.cmdline()):
                    used = process.cpu_times()
                    seconds += used.user + used.system
    return seconds


def _detached(words: list[str] | None) -> list[int]:
    return [
        process.pid
        for process in psutil.process_iter(["cmdline"])
        if words and all(word in (process.info["cmdline"] or []) for word in words)
    ]


def bytes_of(roots: list[int]) -> int:
    """Memory of the processes and all below them, as if nothing else ran on the machine.

    A file that several of them have mapped is counted once, and one that others have, too, is
    counted as well: what they share is what a machine of their own would hold.
    """
    own: dict[int, int] = {}  # by process
    files: dict[str, int] = {}
    for root in roots:
        try:
            for process in (root_process := psutil.Process(root), *root_process.children(True)):
                own[process.pid], mapped = _held_by(process)
                for path, held in mapped.items():
                    files[path] = max(held, files.get(path, 0))
        except psutil.NoSuchProcess:
            continue
    return sum(own.values()) + sum(files.values())


def _held_by(process: psutil.Process) -> tuple[int, dict[str, int]]:
    """Bytes of a process's own, and of each file that it has mapped."""
    if not hasattr(process, "memory_maps"):  # macOS tells no more than what is its own
        return process.memory_full_info().uss, {}
    maps = {each.path: each.rss for each in process.memory_maps()}
    files = {path: held for path, held in maps.items() if path.startswith("/")}
    return sum(maps.values()) - sum(files.values()), files


def group_of(leader: int) -> list[int]:
    """The processes of a process group, also those whose parents have ended."""
    found = []
    for pid in psutil.pids():
        try:
            if os.getpgid(pid) == leader:
                found.append(pid)
        except ProcessLookupError:
            continue
    return found
