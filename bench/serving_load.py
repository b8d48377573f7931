"""The requests that `bench.serving` sends to one running system, and what it sees of its memory."""

import http.client
import json
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import numpy as np

from bench.processes import bytes_of, group_of

MIB = 1024**2
CLIENTS = (1, 4, 16)
WARM_UP = 20  # requests, at most; a runtime meets most lengths in them
SAMPLE_SECONDS = 0.5
Figures = dict[tuple[str, str], float]  # metric, unit


@dataclass(frozen=True)
class Load:
    """What is asked: short texts, one of 512 tokens, and how many short ones in a round."""

    texts: list[str]
    long_text: str
    calls: int

    def kinds(self) -> dict[str, list[Any]]:
        """The inputs of each kind of request."""
        few = max(3, self.calls // 30)
        batches = [self.texts[32 * number : 32 * (number + 1)] for number in range(few)]
        return {
            "1 x short": list(self.texts[: self.calls]),
            "1 x 512 tokens": [self.long_text] * few,
            "32 x short": batches,
        }


def measure(url: str, pid: int, load: Load) -> Figures:
    """Ask one running system, and note its memory before and at its highest."""
    figures: Figures = {("memory at rest", "MiB"): bytes_of([pid, *group_of(pid)]) / MIB}
    with _watched(pid) as peak:
        for kind, inputs in load.kinds().items():
            _ask(url, inputs[:WARM_UP])
            milliseconds = [1e3 * seconds for seconds in _ask(url, inputs)]
            for share in (50, 95, 99):
                figures[f"{kind}, p{share}", "ms"] = float(np.percentile(milliseconds, share))
        for clients in CLIENTS:
            texts = load.texts[: load.calls]
            figures[f"requests, {clients} clients", "1/s"] = _throughput(url, texts, clients)
    figures["memory at peak", "MiB"] = max(peak) / MIB
    return figures


@contextmanager
def _watched(pid: int) -> Iterator[list[int]]:
    """The memory of a process, its children and its group, again and again during the block."""
    seen, stopping = [0], threading.Event()

    def watch() -> None:
        while not stopping.wait(SAMPLE_SECONDS):
            seen.append(bytes_of([pid, *group_of(pid)]))

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        yield seen
    finally:
        stopping.set()
        watcher.join()
        seen.append(bytes_of([pid, *group_of(pid)]))


def _ask(url: str, inputs: list[Any]) -> list[float]:
    """The seconds that each of `inputs` takes over one connection."""
    address = urlsplit(url)
    connection = http.client.HTTPConnection(str(address.hostname), address.port, timeout=120)
    seconds = []
    for each in inputs:
        body = json.dumps({"inputs": each}).encode()
        began = time.perf_counter()
        connection.request("POST", "/invocations", body, {"Content-Type": "application/json"})
        answer = connection.getresponse()
        told = answer.read()
        seconds.append(time.perf_counter() - began)
        if answer.status != 200:
            raise RuntimeError(f"answered {answer.status}: {told[:500]!r}")
    connection.close()
    return seconds


def _throughput(url: str, texts: list[str], clients: int) -> float:
    """Requests a second of `clients` that all ask at once."""
    shares = [texts[number::clients] for number in range(clients)]
    began = time.perf_counter()
    with ThreadPoolExecutor(clients) as pool:
        list(pool.map(lambda share: _ask(url, share), shares))
    return len(texts) / (time.perf_counter() - began)
