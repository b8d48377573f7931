"""How fast training is on this machine: an epoch of SST-2, and steps of the real t5-small's size.

make bench-training ARGS="--data path/to/sst2 --backbone path/to/backbone"
"""

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from bench.report import Report
from pipeline_steps.model_artefacts import DataReport, TrainingReport

GIB = 1024**3


def main() -> int:
    """Run the benchmark; returns 1 where a bar is not met."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--data", required=True, help="folder of SST-2")
    parser.add_argument("--backbone", required=True, help="folder of the backbone for one epoch")
    parser.add_argument("--steps", type=int, default=200, help="steps at t5-small's size (200)")
    arguments = parser.parse_args()
    report = Report("training")
    with tempfile.TemporaryDirectory(prefix="bench-training-") as name:
        folder = Path(name)
        epoch = ["--epochs", "1", "--backbone", arguments.backbone]
        trained, rows = _train(folder / "epoch", [*epoch, "--data", arguments.data])
        per_second = trained["examples_per_second"]
        report.row("backbone", "seconds an epoch", rows / per_second, "s", "<= 360")
        _rows(report, "backbone", trained)
        size = ["--backbone", "random:t5-small", "--tokenizer", arguments.backbone]
        size += ["--epochs", "1", "--max-steps", str(arguments.steps)]
        trained, rows = _train(folder / "size", [*size, "--data", arguments.data])
        seconds = rows / trained["examples_per_second"]
        report.row("t5-small size", "seconds an epoch, from its steps", seconds, "s")
        _rows(report, "t5-small size", trained)
    return report.finish()


def _rows(report: Report, system: str, trained: dict[str, Any]) -> None:
    report.row(system, "sentences per second", trained["examples_per_second"], "1/s")
    report.row(system, "peak memory", trained["peak_memory_bytes"] / GIB, "GiB")
    report.row(system, "validation accuracy", trained["best_accuracy"], "share")


def _train(build_dir: Path, flags: list[str]) -> tuple[dict[str, Any], int]:
    """Check the data and train; gives the training's result and the rows of its training split."""
    for step in ("check_data", "train"):
        command = [sys.executable, "-m", f"pipeline_steps.{step}", "--profile", "sst2"]
        subprocess.run([*command, "--build-dir", str(build_dir), *flags], check=True)
    work_dir = build_dir / "sst2"
    trained = TrainingReport.load(work_dir / "checkpoint")
    print(json.dumps({"fingerprint": trained.fingerprint, "result": trained.result["steps"]}))
    return trained.result, DataReport.load(work_dir).splits["train"].rows


if __name__ == "__main__":
    sys.exit(main())
