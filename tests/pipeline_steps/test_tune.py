"""A search of settings: seeded, resumable, and told as a table."""

from pathlib import Path

import pytest

from pipeline_steps import check_data, tune
from pipeline_steps import settings as settings_module
from pipeline_steps.aws import Clients
from pipeline_steps.settings import Settings

pytest.importorskip("optuna", reason="pip install -r requirements-experiments.txt")
STEPS = 4


def checked(folder: Path) -> Settings:
    quick = {"vocab_size": 600, "batch_size": 8, "reinforce": False}
    settings = settings_module.load("demo", folder, quick)
    check_data.run(settings, Clients())
    return settings


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


def test_trial_has_its_steps_and_evaluations() -> None:
    training = settings_module.load("demo").training
    short = tune.for_trial(training, 4800, 60, {"dropout": 0.15})
    assert (short.max_steps, short.epochs, short.evaluations_per_epoch) == (60, 1, 10)
    assert (short.dropout, short.patience) == (0.15, 0)
    long = tune.for_trial(training, 4800, 400, {})
    assert (long.epochs, long.evaluations_per_epoch) == (3, 2)
