"""Whether there is something to train, told to the GitHub job that asks."""

import dataclasses
import shutil
from pathlib import Path

import pytest

from local_aws.server import LocalAws
from pipeline_steps import find_checkpoint, train
from pipeline_steps import settings as settings_module
from pipeline_steps.aws import Clients
from pipeline_steps.checkpoint_store import CHECKPOINT
from pipeline_steps.model_artefacts import TrainingReport
from pipeline_steps.settings import Settings


@pytest.fixture
def outputs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The file that GitHub reads a step's outputs from."""
    path = tmp_path / "outputs"
    monkeypatch.setenv("GITHUB_OUTPUT", str(path))
    return path


def told(outputs: Path) -> dict[str, str]:
    return dict(line.split("=") for line in outputs.read_text(encoding="utf-8").splitlines())


def of_environment(settings: Settings) -> Settings:
    """The same settings, with the bucket that the environment names by now."""
    deploy = settings_module.load("demo").deploy
    return dataclasses.replace(settings, deploy=deploy)


def test_model_of_another_machine_is_reused(
    packaged: Settings, aws: LocalAws, outputs: Path
) -> None:
    # GIVEN a machine that trained, and kept what came out
    settings, checkpoint = of_environment(packaged), packaged.work_dir / CHECKPOINT
    made = TrainingReport.load(checkpoint)
    assert train.run(settings, Clients()).status == "reused"
    # WHEN another one, without it, asks
    shutil.rmtree(checkpoint)
    outcome = find_checkpoint.run(settings, Clients())
    # THEN it has the model, and there is nothing to train
    assert outcome.status == "reused"
    assert told(outputs) == {"reused": "true", "model_version": made.model_version}
    assert TrainingReport.load(checkpoint) == made
    # AND `train` itself would have fetched it, too
    shutil.rmtree(checkpoint)
    assert train.run(settings, Clients()).status == "reused"
    assert TrainingReport.load(checkpoint) == made


def test_model_that_is_nowhere_is_to_be_trained(
    packaged: Settings, aws: LocalAws, outputs: Path
) -> None:
    settings = of_environment(packaged)
    shutil.rmtree(settings.work_dir / CHECKPOINT)
    outcome = find_checkpoint.run(settings, Clients())
    assert "train it" in outcome.detail
    assert settings.deploy.bucket in outcome.detail
    assert told(outputs)["reused"] == "false"
    assert len(told(outputs)["model_version"]) == 12


def test_without_a_bucket_it_says_where_it_looked(packaged: Settings, outputs: Path) -> None:
    assert find_checkpoint.run(packaged, Clients()).status == "reused"
    assert told(outputs)["reused"] == "true"
    outputs.unlink()
    shutil.rmtree(packaged.work_dir / CHECKPOINT)
    assert "no bucket is set (MODEL_BUCKET)" in find_checkpoint.run(packaged, Clients()).detail
    assert told(outputs)["reused"] == "false"
