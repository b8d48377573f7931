"""The load of `make bench-api` in its short form: right answers, shedding, recovery; no times."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

from tests.conftest import QUICK

ROOT = Path(__file__).parents[2]


def test_api_answers_right_sheds_and_recovers(packaged_once: Path, tmp_path: Path) -> None:
    # GIVEN the packaged demo model, which these settings recognise
    shutil.copytree(packaged_once, tmp_path / "build")
    settings = {f"T5_{name.upper()}": str(value) for name, value in QUICK.items()}
    # WHEN it is asked at a fixed rate for 20 s, then more than can be carried, then as before
    run = subprocess.run(
        [
            sys.executable,
            "-m",
            "bench.api",
            "--seconds",
            "20",
            "--build-dir",
            str(tmp_path / "build"),
        ],
        cwd=tmp_path,
        env=os.environ | settings | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=280,
        check=False,
    )
    # THEN each answer was the model's, the rest was refused, and memory stayed
    assert run.returncode == 0, run.stdout[-6000:] + run.stderr[-2000:]
    report = json.loads((tmp_path / "build" / "bench" / "api.json").read_bytes())
    bars = {bar["name"]: bar["met"] for bar in report["bars"]}
    for name in (
        "fixed rate, wrong answers",
        "fixed rate, not answered",
        "fixed rate, memory grown",
        "overload, shed with 429 or 503",
        "overload, wrong answers",
        "a second later, not answered",
    ):
        assert bars[name], name
