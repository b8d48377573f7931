"""A training job: launched once, followed, fetched; and each way in which it can end badly."""

import dataclasses
import shutil
import time
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import pytest
from botocore.exceptions import ClientError

from local_aws.server import LocalAws
from local_aws.training_plane import TrainingPlane
from pipeline_steps import fingerprint, training_job, training_source
from pipeline_steps import settings as settings_module
from pipeline_steps.aws import Clients
from pipeline_steps.checkpoint_store import CHECKPOINT
from pipeline_steps.errors import ConfigurationError, TrainingFailedError
from pipeline_steps.model_artefacts import TrainingReport
from pipeline_steps.settings import Settings
from tests.pipeline_steps.quick_job import PLAN, program

WAITS = "import time\nprint('waiting', flush=True)\ntime.sleep(60)"


class Killed(BaseException):
    """The run ends here, and the job goes on."""


@pytest.fixture
def settings(aws: LocalAws, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """Settings that train on the local SageMaker, whose jobs leave what is asked for."""
    monkeypatch.setattr(training_source, "PROGRAM_TEXT", program())
    quick = {"compute": "sagemaker", "poll_seconds": 0.05, "role_timeout": 1}
    made = settings_module.load("demo", tmp_path, quick)
    made.work_dir.mkdir()
    return made


def train(settings: Settings, clients: Clients | None = None) -> TrainingReport:
    return training_job.train_in_job(settings, clients or Clients(), PLAN)


def jobs(aws: LocalAws) -> dict[str, dict[str, Any]]:
    """All jobs by their name."""
    sagemaker = aws.client("sagemaker")
    names = [
        job["TrainingJobName"] for job in sagemaker.list_training_jobs()["TrainingJobSummaries"]
    ]
    return {name: sagemaker.describe_training_job(TrainingJobName=name) for name in names}


def ended(aws: LocalAws) -> dict[str, Any]:
    """The only job, once it has ended."""
    deadline = time.monotonic() + 30
    while True:
        (job,) = jobs(aws).values()
        if job["TrainingJobStatus"] not in ("InProgress", "Stopping"):
            return job
        assert time.monotonic() < deadline, job
        time.sleep(0.05)


def interrupt_after(
    monkeypatch: pytest.MonkeyPatch, looks: int, error: type[BaseException]
) -> None:
    """Let the run end in `error` after some looks at its job."""
    left = iter(range(looks))

    def sleep(seconds: float) -> None:
        if next(left, None) is None:
            raise error
        time.sleep(seconds)

    monkeypatch.setattr(training_job, "sleep", sleep)


def refusal(code: str, operation: str, message: str = "") -> ClientError:
    return ClientError({"Error": {"Code": code, "Message": message}}, operation)


def test_job_leaves_the_planned_checkpoint(
    aws: LocalAws, settings: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    made = train(settings)
    assert made == TrainingReport.load(settings.work_dir / CHECKPOINT)
    assert made.fingerprint == PLAN.fingerprint
    assert (settings.work_dir / CHECKPOINT / "model.safetensors").read_bytes() == b"weights"
    # THEN an auditor sees what made it: the versions in there, and the checkout out here
    ((name, job),) = jobs(aws).items()
    assert made.package_versions == fingerprint.versions()
    assert made.git["commit"]
    assert made.trained_in["job"] == name
    assert made.trained_in["image"].endswith("gpu-py312-cu130-ubuntu22.04")
    assert name.startswith(f"t5-sentiment-demo-{PLAN.model_version}-")
    assert job["InputDataConfig"][0]["ChannelName"] == "data"
    # AND its states and its log were shown, as nothing that a GitHub job would obey
    printed = capsys.readouterr().out
    assert "Training: Training image download completed" in printed
    assert "  | one epoch\n  | ::error::not a command\n" in printed


def test_tags_say_whose_job_it_is(aws: LocalAws, settings: Settings) -> None:
    train(settings)
    (job,) = jobs(aws).values()
    tags = aws.client("sagemaker").list_tags(ResourceArn=job["TrainingJobArn"])["Tags"]
    assert {tag["Key"]: tag["Value"] for tag in tags} == {
        "project": "t5-sentiment",
        "name": "t5-sentiment-demo",
        "model_version": PLAN.model_version,
    }


def test_completed_job_is_fetched(aws: LocalAws, settings: Settings) -> None:
    made = train(settings)
    shutil.rmtree(settings.work_dir / CHECKPOINT)
    assert train(settings) == made
    assert len(jobs(aws)) == 1


def test_killed_run_finds_its_job(
    aws: LocalAws, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as killed:
        interrupt_after(killed, 0, Killed)
        with pytest.raises(Killed):
            train(settings)
    assert train(settings).fingerprint == PLAN.fingerprint
    assert len(jobs(aws)) == 1


def test_interrupted_run_stops_its_job(
    aws: LocalAws,
    settings: Settings,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(training_source, "PROGRAM_TEXT", WAITS)
    with monkeypatch.context() as interrupted:
        interrupt_after(interrupted, 2, KeyboardInterrupt)
        with pytest.raises(KeyboardInterrupt):
            train(settings)
    assert "is being stopped" in capsys.readouterr().out
    assert ended(aws)["TrainingJobStatus"] == "Stopped"
    # AND the next run, that of somebody who meant it, trains
    monkeypatch.setattr(training_source, "PROGRAM_TEXT", program())
    assert train(settings).fingerprint == PLAN.fingerprint
    assert len(jobs(aws)) == 2


def test_job_that_cannot_be_stopped_is_told(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    clients = Clients()
    denied = Mock(side_effect=refusal("AccessDenied", "StopTrainingJob"))
    monkeypatch.setattr(clients.sagemaker, "stop_training_job", denied)
    interrupt_after(monkeypatch, 0, KeyboardInterrupt)
    with pytest.raises(KeyboardInterrupt):
        train(settings, clients)
    assert "stop-training-job --training-job-name t5-sentiment-demo-" in capsys.readouterr().err


def test_failed_job_gives_its_reason(
    aws: LocalAws, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = "import sys\nsys.exit('error: the disk is full')"
    monkeypatch.setattr(training_source, "PROGRAM_TEXT", text)
    with pytest.raises(TrainingFailedError, match=r"failed: Algorithm(.|\n)*the disk is full") as e:
        train(settings)
    assert "Nothing was deployed." in str(e.value)
    assert not (settings.work_dir / CHECKPOINT).exists()
    # WHEN the cause is mended THEN the same command launches another job
    monkeypatch.setattr(training_source, "PROGRAM_TEXT", program())
    train(settings)
    assert len(jobs(aws)) == 2


def test_job_stopped_by_another_is_told(
    aws: LocalAws, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(training_source, "PROGRAM_TEXT", WAITS)

    def stop(seconds: float) -> None:
        for name, job in jobs(aws).items():
            if job["SecondaryStatus"] == "Training":
                aws.client("sagemaker").stop_training_job(TrainingJobName=name)
        time.sleep(seconds)

    monkeypatch.setattr(training_job, "sleep", stop)
    with pytest.raises(TrainingFailedError, match=r"was stopped \(Stopped\), not by this run"):
        train(settings)


def test_job_beyond_its_time_is_told(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(training_source, "PROGRAM_TEXT", WAITS)
    short = dataclasses.replace(settings.compute, training_timeout=1)
    with pytest.raises(TrainingFailedError, match=r"after 1 s, its limit.*--training-timeout"):
        train(dataclasses.replace(settings, compute=short))


def test_job_that_never_starts_is_stopped(
    aws: LocalAws, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(TrainingPlane, "start", lambda *_: None)
    impatient = dataclasses.replace(settings.compute, start_timeout=1)
    with pytest.raises(TrainingFailedError, match=r"not started within 1 s .*--start-timeout"):
        train(dataclasses.replace(settings, compute=impatient))
    (job,) = jobs(aws).values()
    assert job["TrainingJobStatus"] == "Stopping"


def test_quota_is_told(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    clients = Clients()
    told = "The account-level service limit 'ml.g5.xlarge for training job usage' is 0 Instances."
    refused = Mock(side_effect=refusal("ResourceLimitExceeded", "CreateTrainingJob", told))
    monkeypatch.setattr(clients.sagemaker, "create_training_job", refused)
    with pytest.raises(TrainingFailedError, match=r"is 0 Instances.*Service Quotas"):
        train(settings, clients)


def test_missing_capacity_is_told() -> None:
    reason = "CapacityError: Unable to provision requested ML compute capacity."
    job = {"TrainingJobStatus": "Failed", "SecondaryStatus": "Failed", "FailureReason": reason}
    with pytest.raises(TrainingFailedError, match="Try again later, or choose another"):
        training_job._refuse_unless_completed("job", job)


def test_missing_spot_instance_is_told() -> None:
    limits = {"MaxRuntimeInSeconds": 60, "MaxWaitTimeInSeconds": 65}
    job = {
        "TrainingJobStatus": "Stopped",
        "SecondaryStatus": "MaxWaitTimeExceeded",
        "StoppingCondition": limits,
    }
    told = r"after 65 s, .*wait for spot.*--start-timeout, or go without --spot"
    with pytest.raises(TrainingFailedError, match=told):
        training_job._refuse_unless_completed("job", job)


def test_expired_credentials_leave_the_job_alone(
    aws: LocalAws, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    clients = Clients()
    describe, calls = clients.sagemaker.describe_training_job, iter(range(2))

    def expiring(**arguments: Any) -> Any:
        if next(calls, None) is None:
            raise refusal("ExpiredTokenException", "DescribeTrainingJob", "It is expired.")
        return describe(**arguments)

    monkeypatch.setattr(clients.sagemaker, "describe_training_job", expiring)
    told = r"goes on without us .*ExpiredTokenException.*Log in to AWS again.*same command"
    with pytest.raises(TrainingFailedError, match=told):
        train(settings, clients)
    # WHEN somebody has logged in THEN the same command has the same job's model
    train(settings)
    (job,) = jobs(aws).values()
    assert job["TrainingJobStatus"] == "Completed"


@pytest.mark.parametrize(
    ("left", "told"),
    [
        (program(fingerprint="cd" * 32, inputs={"data_hash": "other"}), "other inputs .*data_hash"),
        ("import os, sys\nopen(os.environ['SM_MODEL_DIR'] + '/x', 'w').close()", "no checkpoint"),
        ("", "it left nothing"),
    ],
)
def test_other_model_is_refused_and_trained_anew(
    aws: LocalAws, settings: Settings, monkeypatch: pytest.MonkeyPatch, left: str, told: str
) -> None:
    monkeypatch.setattr(training_source, "PROGRAM_TEXT", left)
    with pytest.raises(TrainingFailedError, match=rf"is not the model: .*{told}"):
        train(settings)
    assert not (settings.work_dir / CHECKPOINT).exists()
    monkeypatch.setattr(training_source, "PROGRAM_TEXT", program())
    train(settings)
    assert len(jobs(aws)) == 2


def test_spot_job_keeps_its_checkpoints(aws: LocalAws, settings: Settings) -> None:
    compute = dataclasses.replace(settings.compute, spot=True, training_timeout=60, start_timeout=5)
    train(dataclasses.replace(settings, compute=compute))
    ((name, job),) = jobs(aws).items()
    assert job["StoppingCondition"] == {"MaxRuntimeInSeconds": 60, "MaxWaitTimeInSeconds": 65}
    assert job["CheckpointConfig"]["S3Uri"].endswith(f"/training/jobs/{name}/checkpoints")


def test_several_instances_are_asked_for(aws: LocalAws, settings: Settings) -> None:
    compute = dataclasses.replace(settings.compute, instance_count=2)
    train(dataclasses.replace(settings, compute=compute))
    (job,) = jobs(aws).values()
    assert job["ResourceConfig"]["InstanceCount"] == 2
    assert job["HyperParameters"]["sagemaker_torch_distributed_enabled"] == "true"


def test_instance_without_gpu_needs_an_image(settings: Settings) -> None:
    compute = dataclasses.replace(settings.compute, training_instance="ml.m5.xlarge")
    with pytest.raises(ConfigurationError, match=r"has no GPU.*--training-image"):
        train(dataclasses.replace(settings, compute=compute))
    train(dataclasses.replace(settings, compute=dataclasses.replace(compute, training_image="own")))


@pytest.mark.parametrize(
    ("group", "name", "variable"),
    [("compute", "training_role_arn", "TRAINING_ROLE_ARN"), ("deploy", "bucket", "MODEL_BUCKET")],
)
def test_missing_setting_says_where_to_set_it(
    settings: Settings, group: str, name: str, variable: str
) -> None:
    without = dataclasses.replace(getattr(settings, group), **{name: ""})
    with pytest.raises(ConfigurationError, match=variable):
        train(dataclasses.replace(settings, **{group: without}))


def test_unusable_role_is_told(settings: Settings) -> None:
    other = dataclasses.replace(settings.compute, training_role_arn="arn:aws:iam::1:role/none")
    with pytest.raises(TrainingFailedError, match=r"CreateTrainingJob .*Could not assume role"):
        train(dataclasses.replace(settings, compute=other))
