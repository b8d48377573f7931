"""What the function costs by itself: the processor time of a request, and what a start imports.

    make demo && make bench-function     on the demo's release; half a minute

It asks the released endpoint from this process, one request after another, so that nothing but the
function is counted. What botocore does to ask the endpoint is told apart from what is ours.
"""

import argparse
import contextlib
import io
import json
import os
import re
import statistics
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from bench.report import Report
from pipeline_steps.create_api import SOURCES, zip_function
from pipeline_steps.release_artefacts import Api

STARTS, ROUNDS, REQUESTS = 7, 9, 200
EVENT = Path(__file__).parents[1] / "tests" / "events" / "predict.json"
MAKE_CLIENT = """
import time
import model_client
began = time.perf_counter()
model_client.runtime()
print(1e6 * (time.perf_counter() - began), "| client")
"""


def main(arguments: list[str] | None = None) -> int:
    """Run the benchmark; returns 1 where a bar is not met."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--build-dir", type=Path, default=Path("build"), help="default: build")
    api = Api.load(parser.parse_args(arguments).build_dir / "demo" / "production")
    os.environ["AWS_LAMBDA_FUNCTION_NAME"] = api.function_name
    os.environ["ENDPOINT_NAME"] = api.endpoint_name
    report = Report("function")
    report.row("package", "size", len(zip_function()) / 1e3, "kB")
    for told, name, program in (
        ("importing boto3", "boto3", ["-X", "importtime", "-c", "import boto3"]),
        ("importing all", "handler", ["-X", "importtime", "-c", "import handler"]),
        ("making the client", "client", ["-c", MAKE_CLIENT]),
    ):
        _row(report, "start", told, [_start(name, program) for _ in range(STARTS)])
    _requests(report)
    return report.finish()


def _row(report: Report, system: str, metric: str, values: list[float]) -> None:
    middle, spread = statistics.median(values), max(values) - min(values)
    report.row(system, metric, middle, "ms", spread=spread)


def _start(name: str, program: list[str]) -> float:
    """Milliseconds that a new Python tells of `name`."""
    command = [sys.executable, *program]
    ended = subprocess.run(command, cwd=SOURCES, capture_output=True, text=True, check=True)
    (microseconds,) = re.findall(rf"([\d.]+) \| {name}$", ended.stderr + ended.stdout, re.MULTILINE)
    return float(microseconds) / 1e3


def _requests(report: Report) -> None:
    sys.path.insert(0, str(SOURCES))
    import handler  # noqa: PLC0415 - a deployment root, of which other rooms import nothing
    import model_client  # noqa: PLC0415

    asking = 0.0
    invoke = model_client._invoke

    def timed(payload: bytes) -> bytes:
        nonlocal asking
        began = time.process_time()
        body: bytes = invoke(payload)
        asking += time.process_time() - began
        return body

    model_client._invoke = timed
    event = json.loads(EVENT.read_bytes())
    context = SimpleNamespace(aws_request_id="bench", get_remaining_time_in_millis=lambda: 29_000)
    _ask(handler, event, context)  # warm-up
    whole, of_botocore = [], []
    for _ in range(ROUNDS):
        asking, began = 0.0, time.process_time()
        _ask(handler, event, context)
        whole.append((time.process_time() - began) / REQUESTS * 1e3)
        of_botocore.append(asking / REQUESTS * 1e3)
    _row(report, "request", "processor time", whole)
    _row(report, "request", "of that, botocore's", of_botocore)


def _ask(handler: Any, event: dict[str, Any], context: Any) -> None:
    with contextlib.redirect_stdout(io.StringIO()):  # the log
        statuses = {handler.handler(event, context)["statusCode"] for _ in range(REQUESTS)}
    if statuses != {200}:
        raise SystemExit(f"The function answered {statuses}, expected 200. Is the demo released?")


if __name__ == "__main__":
    sys.exit(main())
