"""What a candidate costs whoever serves it: its size, and its time for one sentence."""

import json
import statistics
import time
from pathlib import Path

from pipeline_steps.evaluation_artefacts import Footprint
from pipeline_steps.serving_process import ServingError, ServingProcess

WARM_UP, TIMED = 5, 50  # requests of one sentence each


def of(server: ServingProcess, folder: Path, texts: list[str]) -> Footprint:
    """Measure the model in `folder`, which `server` serves, on sentences of `texts`.

    The time is from request to answer over loopback, so it holds for this machine and its load.

    Raises:
        ServingError: the server does not answer.
    """
    spread = texts[:: max(1, len(texts) // TIMED)][:TIMED]
    for text in spread[:WARM_UP]:
        _milliseconds(server, text)
    times = sorted(_milliseconds(server, text) for text in spread)
    size = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
    return Footprint(
        megabytes=size / 1e6,
        median_milliseconds=statistics.median(times),
        p95_milliseconds=times[int(0.95 * (len(times) - 1))],
    )


def _milliseconds(server: ServingProcess, text: str) -> float:
    body = json.dumps({"inputs": text}).encode()
    began = time.perf_counter()
    answer = server.invoke(body)
    if answer.status_code != 200:
        raise ServingError(f"The candidate answered {answer.status_code}: {answer.text}")
    return 1000 * (time.perf_counter() - began)
