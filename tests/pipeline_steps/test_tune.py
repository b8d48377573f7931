"""A search of settings: seeded, resumable, and told as a table."""

import os
import signal
from pathlib import Path
from typing import Any

import pytest

from model.gradients import Objective
from model.journal import Journal
from pipeline_steps import check_data, tune
from pipeline_steps import settings as settings_module
from pipeline_steps.aws import Clients
from pipeline_steps.settings import Settings

pytest.importorskip("optuna", reason="pip install -r requirements-experiments.txt")
STEPS = 4
QUICK = {"vocab_size": 600, "batch_size": 8, "reinforce": False}


def checked(folder: Path) -> Settings:
    settings = settings_module.load("demo", folder, QUICK)
    check_data.run(settings, Clients())
    return settings


def flags_for(folder: Path, trials: int) -> list[str]:
    quick = [f"--{name.replace('_', '-')}={str(value).lower()}" for name, value in QUICK.items()]
    asked = ["--build-dir", str(folder), "--trials", str(trials), "--trial-steps", str(STEPS)]
    return ["--profile", "demo", *quick, *asked]


def test_search_goes_on_where_it_was_and_repeats(tmp_path: Path) -> None:
    # GIVEN a search of four trials, and one that was ended after two
    whole, stopped = checked(tmp_path / "whole"), checked(tmp_path / "stopped")
    wanted = tune.search(whole, 4, STEPS)
    assert len(tune.search(stopped, 2, STEPS).trials) == 2
    # WHEN it is asked for four
    study = tune.search(stopped, 4, STEPS)
    # THEN both are the same, the first trial being the profile as it is
    assert [trial.params for trial in study.trials] == [trial.params for trial in wanted.trials]
    assert [trial.value for trial in study.trials] == [trial.value for trial in wanted.trials]
    assert study.trials[0].params["learning_rate"] == whole.training.learning_rate
    assert study.best_value <= study.trials[0].value
    # AND nothing but the study is left
    assert not (stopped.work_dir / "trial").exists()
    lines = tune.table(study).splitlines()
    assert len(lines) == 2 + 4
    assert any(line.startswith("| 0 (as it was) |") for line in lines)


def test_interrupted_search_ends_cleanly_and_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    # GIVEN a search that is interrupted in its first trial
    settings = checked(tmp_path)
    evaluated = Journal.evaluated

    def interrupt(self: Journal, *figures: float) -> bool:
        os.kill(os.getpid(), signal.SIGINT)
        return evaluated(self, *figures)

    with monkeypatch.context() as interrupted:
        interrupted.setattr(Journal, "evaluated", interrupt)
        # THEN it says so, and no more
        assert tune.main(flags_for(tmp_path, 2)) == 130
    told = capsys.readouterr()
    assert (told.out, told.err.count("\n")) == ("", 1)
    assert "The same command goes on where this one ended" in told.err
    # AND the same command tries the profile's own settings first, and ends
    assert tune.main(flags_for(tmp_path, 2)) == 0
    study = tune.search(settings, 2, STEPS)
    assert [trial.state.name for trial in study.trials] == ["FAIL", "COMPLETE", "COMPLETE"]
    assert study.trials[1].params["learning_rate"] == settings.training.learning_rate
    assert "| 1 (as it was) |" in capsys.readouterr().out


@pytest.mark.parametrize("diverging", [1, 2])
def test_diverged_trial_is_passed(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    diverging: int,
) -> None:
    # GIVEN a trial whose loss is no number, be it the first or a later one
    settings, trials = checked(tmp_path), 0
    start, forward = tune.load_start, Objective.forward

    def count(*of_trial: Any) -> Any:
        nonlocal trials
        trials += 1
        return start(*of_trial)

    def poison(self: Objective, batch: Any) -> Any:
        loss, figures = forward(self, batch)
        return (loss * float("nan") if trials == diverging else loss), figures

    monkeypatch.setattr(tune, "load_start", count)
    monkeypatch.setattr(Objective, "forward", poison)
    # WHEN no other is asked for, THEN there is no best one
    if diverging == 1:
        assert tune.main(flags_for(tmp_path, 1)) == 4
        assert "No trial gave a finite loss" in capsys.readouterr().err
    # WHEN three are, THEN the search ends with two that tell of their loss
    study = tune.search(settings, 3, STEPS)
    states = [trial.state.name for trial in study.trials]
    assert states.pop(diverging - 1) == "PRUNED"
    assert states == ["COMPLETE", "COMPLETE"]
    *_, last = tune.table(study).splitlines()
    assert last.startswith(f"| {diverging - 1} ")
    assert last.endswith("| | diverged |")


def test_trial_has_its_steps_and_evaluations() -> None:
    training = settings_module.load("demo").training
    short = tune.for_trial(training, 4800, 60, {"dropout": 0.15})
    assert (short.max_steps, short.epochs, short.evaluations_per_epoch) == (60, 1, 10)
    assert (short.dropout, short.patience) == (0.15, 0)
    long = tune.for_trial(training, 4800, 400, {})
    assert (long.epochs, long.evaluations_per_epoch) == (3, 2)
