"""A spot instance is taken away in the middle of a training: the job ends with the same model."""

import time
from pathlib import Path
from typing import Any

import pytest

from local_aws.server import BUCKET, LocalAws
from pipeline_steps import settings as settings_module
from pipeline_steps import training_job
from pipeline_steps.aws import Clients
from pipeline_steps.check_data import run as check_data
from pipeline_steps.checkpoint_store import CHECKPOINT
from pipeline_steps.local_training import train_here
from pipeline_steps.settings import Settings
from pipeline_steps.training_plan import plan

STEPS = 120
QUICK = {"vocab_size": 600, "epochs": 1, "max_steps": STEPS, "evaluations_per_epoch": 8}
SPOT = {"compute": "sagemaker", "spot": True, "poll_seconds": 0.05, "role_timeout": 1}


def checked(folder: Path, **more: Any) -> Settings:
    settings = settings_module.load("demo", folder, {**QUICK, **more})
    check_data(settings, Clients())
    return settings


def test_interrupted_spot_job_leaves_the_same_model(
    aws: LocalAws,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    # GIVEN a spot job whose first checkpoint is in S3
    settings, sagemaker, s3 = checked(tmp_path / "job", **SPOT), Clients().sagemaker, Clients().s3
    interrupted: list[str] = []

    def interrupt(seconds: float) -> None:
        listed = s3.list_objects_v2(Bucket=BUCKET).get("Contents", [])
        if not interrupted and any(item["Key"].endswith("/resume.pt") for item in listed):
            (job,) = sagemaker.list_training_jobs()["TrainingJobSummaries"]
            # WHEN its instance is taken away
            aws.interrupt_training(job["TrainingJobArn"])
            interrupted.append(job["TrainingJobName"])
        time.sleep(seconds)

    monkeypatch.setattr(training_job, "sleep", interrupt)
    made = training_job.train_in_job(settings, Clients(), plan(settings))
    # THEN it goes on from there
    assert interrupted
    assert "  Interrupted: " in capsys.readouterr().out
    assert 0 < made.result["resumed_from_step"] < STEPS
    # AND its model is that of a training without interruption, bit for bit
    whole = checked(tmp_path / "whole")
    train_here(whole, plan(whole))
    name = "model.safetensors"
    ours, theirs = (each.work_dir / CHECKPOINT / name for each in (settings, whole))
    assert ours.read_bytes() == theirs.read_bytes()
