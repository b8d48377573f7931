"""Two processes under torchrun train as one does, stop together, and tell of a lost one."""

import os
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from model.checkpoint import load_state
from model.report import TrainingProgress
from model.workers import joined
from tests.model.test_training import SETTINGS, TrainingInterrupted, run, start, weights

ROOT = Path(__file__).parents[2]
# Of 96 sentences: the last batch of an epoch has one, and so a process without any.
PLAIN = replace(SETTINGS, dropout=0.0, batch_size=19)
WITH_REINFORCE = replace(SETTINGS, reinforce=True, batch_size=19)
LIMIT = 240  # seconds


def together(work_dir: Path, what: str) -> subprocess.CompletedProcess[str]:
    """Run this file's `what` in two processes."""
    torchrun = ["torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    program = ["-m", "tests.model.test_workers", what, str(work_dir)]
    command = [sys.executable, "-m", *torchrun, *program]
    variables = {**os.environ, "OMP_NUM_THREADS": "1"}
    return subprocess.run(
        command, cwd=ROOT, env=variables, capture_output=True, text=True, timeout=LIMIT, check=False
    )


def test_two_processes_give_the_model_of_one(tmp_path: Path):
    done = together(tmp_path / "two", "train")
    assert done.returncode == 0, done.stderr
    alone = run(tmp_path / "one", PLAIN)
    shared = load_state(tmp_path / "two", "f")
    assert shared is not None
    assert shared.examples == 3 * 96
    # The same figures, which are means over whole batches
    assert [record["step"] for record in shared.history] == [item.step for item in alone.history]
    for record, item in zip(shared.history, alone.history, strict=True):
        assert record["train_loss"] == pytest.approx(item.train_loss, rel=1e-3)
        assert record["validation_loss"] == pytest.approx(item.validation_loss, rel=1e-3)
    # The same weights, but for the gate's bias: at first its gradient is rounding alone (a gate
    # that is the same everywhere cancels out), which Adam scales up.
    ours, theirs = weights(tmp_path / "one"), weights(tmp_path / "two")
    del ours["gate.linear.bias"], theirs["gate.linear.bias"]
    for name, weight in ours.items():
        torch.testing.assert_close(theirs[name], weight, atol=1e-3, rtol=1e-2, msg=name)


def test_two_processes_learn_with_reinforce_and_stay_alike(tmp_path: Path):
    done = together(tmp_path, "reinforce")
    assert done.returncode == 0, done.stderr
    # Each draws its own choices from its own sentences, and both take the same steps
    first, other = (torch.load(tmp_path / f"{rank}.pt") for rank in range(2))
    assert first["gate.linear.weight"].any()
    for name, weight in first.items():
        assert torch.equal(other[name], weight), name
    shared = load_state(tmp_path, "f")
    assert shared is not None
    assert shared.examples == 3 * 96
    assert shared.history[-1]["train_loss"] < shared.history[0]["train_loss"]
    assert shared.history[-1]["reward"] > shared.history[0]["reward"]
    assert all(0 < record["kept_share"] < 1 for record in shared.history)


def test_signal_stops_both_after_the_same_step(tmp_path: Path):
    done = together(tmp_path, "stop")
    assert "Stopped by SIGTERM after step 8 of 18" in done.stdout
    assert done.stdout.count("after step 8") == 2
    assert load_state(tmp_path, "f").step == 8
    # One process goes on where two have stopped
    assert run(tmp_path, PLAIN).resumed_from_step == 8


def test_lost_process_ends_the_run(tmp_path: Path):
    done = together(tmp_path, "lose")
    assert done.returncode != 0
    assert "Another process of the run is gone" in done.stdout
    assert "exitcode  : -9" in done.stderr  # torchrun's own word on the one that was lost
    assert load_state(tmp_path, "f").step in (9, 12)  # the first one may just be saving


def main(what: str, work_dir: Path) -> None:
    """What each process does under torchrun."""
    with joined() as workers:

        def act(report: TrainingProgress) -> None:
            evaluated = report.last_evaluation.step if report.last_evaluation else 0
            if workers.is_first or evaluated != report.step:
                return
            if what == "stop" and report.step == 6:
                os.kill(os.getpid(), signal.SIGTERM)
            if what == "lose" and report.step == 12:
                os.kill(os.getpid(), signal.SIGKILL)

        settings = WITH_REINFORCE if what == "reinforce" else PLAIN
        model = start(settings)
        try:
            run(work_dir, settings, act, workers=workers, model=model)
        except TrainingInterrupted as error:
            print(error, flush=True)
        torch.save(model.state_dict(), work_dir / f"{workers.rank}.pt")


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
