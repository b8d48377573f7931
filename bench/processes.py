"""Run a command and measure its wall time and the memory of all its processes together."""

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
            trees = [psutil.Process(process.pid), *_detached(also)]
            peak = max(peak, sum(_tree_bytes(tree) for tree in trees))
            time.sleep(SAMPLE_SECONDS)
        seconds = time.monotonic() - started
    if process.returncode:
        raise subprocess.CalledProcessError(process.returncode, command)
    return Measured(seconds, peak)


def _detached(words: list[str] | None) -> list[psutil.Process]:
    if not words:
        return []
    found = psutil.process_iter(["cmdline"])
    # A server's children have its words too, and are counted with it: take those without a parent.
    return [
        process
        for process in found
        if all(word in (process.info["cmdline"] or []) for word in words) and process.ppid() == 1
    ]


def _tree_bytes(root: psutil.Process) -> int:
    total = 0
    try:
        for process in [root, *root.children(recursive=True)]:
            # USS: what the machine would get back if this process ended; shared pages count once.
            total += process.memory_full_info().uss
    except psutil.NoSuchProcess:
        return total
    return total
