"""How long the demo takes, first and again, and what it needs.

make bench-demo
make bench-demo ARGS=--setup     also measures a fresh .venv
"""

import argparse
import sys
import tempfile
from pathlib import Path

from bench.processes import measure
from bench.report import Report
from pipeline_steps.release_artefacts import RunReport

ROOT = Path(__file__).parents[1]
GIB = 1024**3


def main() -> int:
    """Run the benchmark; returns 1 where a bar is not met."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--setup", action="store_true", help="also make a new environment")
    arguments = parser.parse_args()
    report = Report("demo")
    with tempfile.TemporaryDirectory(prefix="bench-demo-") as name:
        folder = Path(name)
        if arguments.setup:
            report.row("set-up", "seconds", _set_up(folder / "venv"), "s", "<= 300")
        state = str(folder / "aws")
        local_aws = [sys.executable, "-m", "local_aws"]
        ports = ["--state", state, "--port", "0", "--api-port", "0"]
        pipeline = [sys.executable, "-m", "pipeline_steps", "--build-dir", str(folder)]
        try:
            for run, limit in (("first demo", 120), ("second demo", 30)):
                command = [
                    *local_aws,
                    "run",
                    *ports,
                    "--",
                    *pipeline,
                    "--profile",
                    "demo",
                    "--min-accuracy",
                    "0",
                ]
                measured = measure(command, also=["local_aws", state])
                report.row(run, "seconds", measured.seconds, "s", f"<= {limit}")
                report.row(run, "peak memory", measured.peak_bytes / GIB, "GiB", "<= 4")
        finally:
            measure([*local_aws, "stop", "--state", state])
        accuracy = RunReport.load(folder / "demo").metrics["accuracy"]
        report.row("demo", "accuracy on unseen fragments", accuracy, "share", ">= 0.9")
    return report.finish()


def _set_up(folder: Path) -> float:
    made = measure([sys.executable, "-m", "venv", str(folder)])
    install = ["-m", "pip", "install", "--quiet", "-r", str(ROOT / "requirements-dev.txt")]
    return made.seconds + measure([str(folder / "bin" / "python"), *install]).seconds


if __name__ == "__main__":
    sys.exit(main())
