"""A training run in MLflow, in a real SQLite store."""

import builtins
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import pytest

from pipeline_steps import settings as settings_module
from pipeline_steps import tracking
from pipeline_steps.errors import ConfigurationError, TrainingFailedError
from pipeline_steps.model_artefacts import TrainingReport
from pipeline_steps.settings import Settings

mlflow = pytest.importorskip("mlflow", reason="pip install -r requirements-experiments.txt")
# MLflow's own use of SQLAlchemy and of names that are on their way out
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")


@pytest.fixture
def tracked(packaged: Settings) -> Settings:
    """A trained model whose runs are to be tracked."""
    return settings_module.load("demo", packaged.build_dir, {"track": True})


def enter(settings: Settings) -> TrainingReport:
    checkpoint = settings.work_dir / "checkpoint"
    made = TrainingReport.load(checkpoint)
    tracking.record(settings, made, checkpoint)
    return made


def runs(uri: str) -> list[Any]:
    client = mlflow.MlflowClient(uri)
    (experiment,) = [item for item in client.search_experiments() if item.name != "Default"]
    assert experiment.name == "t5-sentiment-demo demo"
    return list(client.search_runs([experiment.experiment_id]))


def test_run_holds_settings_curves_and_artefacts(
    tracked: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    repo = Mock()
    monkeypatch.setattr("git.Repo", repo)
    made = enter(tracked)
    repo.assert_not_called()  # it leaves processes and pipes open
    uri = f"sqlite:///{tracked.build_dir / 'mlflow.db'}"
    (run,) = runs(uri)
    assert run.info.run_name == made.model_version
    assert run.data.tags["fingerprint"] == made.fingerprint
    assert run.data.params["learning_rate"] == str(tracked.training.learning_rate)
    assert run.data.params["data_hash"] == made.inputs["data_hash"]
    assert run.data.metrics["best_accuracy"] == made.result["best_accuracy"]
    client = mlflow.MlflowClient(uri)
    curve = client.get_metric_history(run.info.run_id, "validation_loss")
    assert [point.step for point in curve] == [item["step"] for item in made.result["history"]]
    there = {item.path for item in client.list_artifacts(run.info.run_id, "checkpoint")}
    assert {"checkpoint/model.safetensors", "checkpoint/training.json"} <= there
    assert list((tracked.build_dir / "mlruns").rglob("model.safetensors"))
    # AND the same model, reused by the next run, is not entered again
    enter(tracked)
    assert len(runs(uri)) == 1


def test_server_of_the_environment_is_used(
    packaged: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    uri = f"sqlite:///{tmp_path / 'team.db'}"
    monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
    monkeypatch.chdir(tmp_path)  # where MLflow puts the files of a store without a server
    enter(packaged)
    assert len(runs(uri)) == 1
    assert not (packaged.build_dir / "mlflow.db").exists()


def test_nothing_is_tracked_unasked(packaged: Settings) -> None:
    enter(packaged)
    assert not (packaged.build_dir / "mlflow.db").exists()


def test_unusable_store_is_told(tracked: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "nonsense://nowhere")
    with pytest.raises(TrainingFailedError, match=r"nonsense://nowhere.*trained and kept"):
        enter(tracked)


def test_missing_package_is_told_before_training(
    tracked: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    find = builtins.__import__

    def without(name: str, *rest: Any) -> Any:
        if name == "mlflow":
            raise ModuleNotFoundError("No module named 'mlflow'", name="mlflow")
        return find(name, *rest)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(ConfigurationError, match=r"mlflow is not .*requirements-experiments\.txt"):
        tracking.require_mlflow(tracked)
