"""What the API carries, and what it does with more: gateway, function and endpoint, over loopback.

    make bench-api                          three minutes at a fixed rate, then overload
    make bench-api ARGS='--seconds 20'      the short form, for CI

Half of what the machine can carry is let through by the API's throttle, as an operator would set
it. Below the throttle every answer must be right; at twice what the machine can carry the rest
must be refused with 429 or 503; and a second after that all is as before.
"""

import argparse
import subprocess
import sys
import tempfile
from pathlib import Path

from bench.open_loop import Clients, Load
from bench.processes import measure, memory_of, processor_seconds
from bench.report import Report
from local_aws.lambda_plane import MAX_ENVIRONMENTS
from pipeline_steps.evaluation_artefacts import Evaluation
from pipeline_steps.release_artefacts import Api

CALIBRATION_SECONDS = 5
# The endpoint takes as many requests at once as functions run side by side, and as many clients
# ask. With fewer places it turns some away, and on a busy machine all three tries may meet that.
CALIBRATION_CLIENTS = MAX_ENVIRONMENTS
PLACES = ["--max-concurrency", str(MAX_ENVIRONMENTS)]
OPEN = ["--throttle-rate", "10000", "--throttle-burst", "5000"]
# Who computes, by what stands in the command line.
PARTS = {"container": "server.py", "function": "awslambdaric", "local AWS": "local_aws"}
MIB = 1024**2


def main(arguments: list[str] | None = None) -> int:
    """Run the benchmark; returns 1 where a bar is not met."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--seconds", type=int, default=180, help="at the fixed rate (180)")
    parser.add_argument("--build-dir", type=Path, help="has a packaged demo model; else it is made")
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory(prefix="bench-api-") as name:
        build = options.build_dir or Path(name) / "build"
        state = str(Path(name) / "aws")
        run = [sys.executable, "-m", "local_aws", "run", "--state", state]
        run += ["--port", "0", "--api-port", "0", "--"]
        step = ["--profile", "demo", "--build-dir", str(build)]
        try:
            subprocess.run(
                [*run, sys.executable, "-m", "pipeline_steps", *step, *PLACES, *OPEN], check=True
            )
            create_api = [*run, sys.executable, "-m", "pipeline_steps.create_api", *step]
            report = _measure(build / "demo", state, create_api, options.seconds)
        finally:
            measure([sys.executable, "-m", "local_aws", "stop", "--state", state])
    return report.finish()


def _measure(folder: Path, state: str, create_api: list[str], seconds: int) -> Report:
    report = Report("api")
    clients = Clients(Api.load(folder / "production").api_url, Evaluation.load(folder))
    clients.one_after_another(CALIBRATION_CLIENTS, 1)  # warm-up
    most = clients.one_after_another(CALIBRATION_CLIENTS, CALIBRATION_SECONDS)
    _all_right(report, "closed loop", most)
    report.row("closed loop", "throughput", most.throughput, "requests/s")
    report.row("closed loop", "p50", most.milliseconds(0.5), "ms")

    throttle = max(1, round(most.throughput / 2))
    limits = ["--throttle-rate", str(throttle), "--throttle-burst", str(throttle)]
    subprocess.run([*create_api, *limits], check=True)
    report.row("throttle", "rate", throttle, "requests/s")
    rate = 0.8 * throttle
    _steady(report, clients, state, rate, seconds)
    _overload(report, clients, 2 * most.throughput, rate, max(5, seconds // 6))
    return report


def _steady(report: Report, clients: Clients, state: str, rate: float, seconds: int) -> None:
    """The fixed rate; a quarter of it first, after which memory must not grow."""
    words = ["local_aws", state]
    warm = clients.at_rate(rate, seconds / 4)
    before = memory_of(words)
    used = {part: processor_seconds(words, within) for part, within in PARTS.items()}
    load = clients.at_rate(rate, seconds * 3 / 4)
    growth = (memory_of(words) - before) / MIB
    for part, within in PARTS.items():
        computed = processor_seconds(words, within) - used[part]
        report.row("processor time", part, 1e3 * computed / len(load.answers), "ms a request")
    load = Load(warm.answers + load.answers)
    _all_right(report, "fixed rate", load)
    report.row("fixed rate", "rate", rate, "requests/s")
    for name, share in (("p50", 0.5), ("p95", 0.95), ("p99", 0.99)):
        report.row("fixed rate", name, load.milliseconds(share), "ms")
    report.row("fixed rate", "memory of all processes", before / MIB, "MiB")
    report.row("fixed rate", "memory grown", growth, "MiB", "<= 64")


def _overload(report: Report, clients: Clients, too_much: float, rate: float, seconds: int) -> None:
    load = clients.at_rate(too_much, seconds)
    after = clients.at_rate(rate, 5)
    statuses = load.statuses
    shed = statuses[429] + statuses[503]
    report.row("overload", "rate", too_much, "requests/s")
    report.row("overload", "answered", statuses[200] / len(load.answers), "share")
    report.row("overload", "shed with 429 or 503", shed, "requests", ">= 1")
    report.row("overload", "p99 of the answered", load.milliseconds(0.99), "ms")
    report.row("overload", "wrong answers", load.wrong, "requests", "<= 0")
    report.row("overload", "other statuses", len(load.answers) - statuses[200] - shed, "", "<= 0")
    # The throttle's tokens are used up at first; they come at more than this rate.
    settled = Load([answer for answer in after.answers if answer.due >= 1])
    _all_right(report, "a second later", settled)


def _all_right(report: Report, system: str, load: Load) -> None:
    refused = len(load.answers) - load.statuses[200]
    report.row(system, "requests", len(load.answers), "requests")
    for status in sorted(load.statuses.keys() - {200}):
        report.row(system, f"status {status}", load.statuses[status], "requests")
    report.row(system, "not answered", refused, "requests", "<= 0")
    report.row(system, "wrong answers", load.wrong, "requests", "<= 0")


if __name__ == "__main__":
    sys.exit(main())
