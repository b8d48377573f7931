"""Training runs in MLflow: settings, curves, metrics, artefacts, under the model's fingerprint.

    python -m pipeline_steps.train --profile sst2 --track true

Runs go to MLFLOW_TRACKING_URI where that is set, and otherwise, with `track`, to an SQLite file in
the build folder. `mlflow ui --backend-store-uri sqlite:///build/mlflow.db` shows them.
"""

import dataclasses
import os
from pathlib import Path
from typing import Any

from pipeline_steps.errors import ConfigurationError, TrainingFailedError
from pipeline_steps.model_artefacts import TrainingReport
from pipeline_steps.settings import Settings

URI = "MLFLOW_TRACKING_URI"
CURVES = ("train_loss", "validation_loss", "validation_accuracy", "learning_rate",
          "reward", "kept_share", "entropy")  # fmt: skip
METRICS = ("best_accuracy", "best_loss", "best_step", "seconds", "examples_per_second",
           "peak_memory_bytes")  # fmt: skip


def is_wanted(settings: Settings) -> bool:
    """Whether runs are tracked: a server is named, or it was asked for."""
    return settings.compute.track or bool(os.environ.get(URI))


def require_mlflow(settings: Settings) -> None:
    """Find out before training, not after it, that MLflow is missing.

    Raises:
        ConfigurationError: it is wanted, and not installed.
    """
    if is_wanted(settings):
        _mlflow()


def record(settings: Settings, made: TrainingReport, checkpoint: Path) -> None:
    """Enter a model into the experiment of its profile, once: its fingerprint is looked for first.

    Raises:
        TrainingFailedError: the server or the file did not take it; the model itself is there.
    """
    if not is_wanted(settings):
        return
    mlflow = _mlflow()
    folder, server = settings.build_dir.absolute(), os.environ.get(URI)
    uri = server or f"sqlite:///{folder / 'mlflow.db'}"
    try:
        mlflow.set_tracking_uri(uri)
        name = f"{settings.deploy.name} {settings.profile}"
        if not server and mlflow.get_experiment_by_name(name) is None:
            # A server knows where its files go; beside SQLite they would land in the current folder
            mlflow.create_experiment(name, artifact_location=(folder / "mlruns").as_uri())
        _enter(mlflow, name, settings, made, checkpoint)
    except (mlflow.exceptions.MlflowException, OSError) as error:
        raise TrainingFailedError(
            f"The run could not be recorded at {uri} ({error}). The model is trained and kept: "
            f"check {URI}, and run the same command again."
        ) from error
    finally:
        if not server:
            os.environ.pop(URI, None)  # MLflow sets it


def _enter(
    mlflow: Any, name: str, settings: Settings, made: TrainingReport, checkpoint: Path
) -> None:
    experiment = mlflow.set_experiment(name)
    client = mlflow.MlflowClient()
    known = client.search_runs(
        [experiment.experiment_id],
        f"tags.fingerprint = '{made.fingerprint}' and attributes.status = 'FINISHED'",
    )
    if known:
        return
    # A run that MLflow starts by itself asks git for a commit, by processes that are never closed.
    run = client.create_run(experiment.experiment_id, run_name=made.model_version)
    with mlflow.start_run(run_id=run.info.run_id):
        mlflow.set_tags({"fingerprint": made.fingerprint, "commit": made.git["commit"] or "none"})
        mlflow.log_params(dataclasses.asdict(settings.training))
        inputs = made.inputs
        mlflow.log_params({name: inputs[name] for name in ("data_hash", "backbone", "tokenizer")})
        for point in made.result["history"]:
            values = {name: point[name] for name in CURVES if point.get(name) is not None}
            mlflow.log_metrics(values, step=point["step"])
        mlflow.log_metrics({name: float(made.result[name]) for name in METRICS})
        mlflow.log_artifacts(str(checkpoint), "checkpoint")


def _mlflow() -> Any:
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")  # else it reports its use
    try:
        import mlflow  # noqa: PLC0415 - optional, and slow to import
        import sqlalchemy  # noqa: F401, PLC0415 - what MLflow's SQLite needs
    except ImportError as error:
        raise ConfigurationError(
            f"Runs are to be tracked ({URI} or track), and {error.name} is not installed. Install "
            "it with `pip install -r requirements-experiments.txt`, or leave both unset."
        ) from error
    return mlflow
