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
    """Wall time in seconds; `peak_bytes` of unique memory, all processes of the tree together."""

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
    """Memory of the processes and all below them, each counted once."""
    trees: dict[int, int] = {}
    for root in roots:
        try:
            for process in (root_process := psutil.Process(root), *root_process.children(True)):
                # USS: what the machine would get back if it ended; shared pages are left out.
                trees[process.pid] = process.memory_full_info().uss
        except psutil.NoSuchProcess:
            continue
    return sum(trees.values())


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
