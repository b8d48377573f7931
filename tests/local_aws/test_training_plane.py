"""Training jobs of the local AWS run for real, and are refused where AWS refuses them."""

import io
import json
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from local_aws.server import BUCKET, LocalAws
from local_aws.training_plane import GROUP
from tests.local_aws.conftest import Kit, wait_for
from tests.local_aws.jobs import NEEDS_TWO_STARTS, has_contents, job_when, launch

SAYS = """
import json, os, pathlib, sys
print(json.dumps([sys.argv[1:], os.environ["SM_CHANNEL_DATA"], sorted(os.environ)]), flush=True)
data = pathlib.Path(os.environ["SM_CHANNEL_DATA"], "rows.txt").read_text()
pathlib.Path(os.environ["SM_MODEL_DIR"], "model").write_text(data.upper())
"""
WAITS = "import time\ntime.sleep(60)"


def said(kit: Kit, name: str) -> list[str]:
    logs = kit.client("logs")
    streams = logs.describe_log_streams(logGroupName=GROUP, logStreamNamePrefix=f"{name}/")
    stream = streams["logStreams"][0]["logStreamName"]
    events = logs.get_log_events(logGroupName=GROUP, logStreamName=stream, startFromHead=True)
    return [event["message"] for event in events["events"]]


def test_job_runs_its_program(kit: Kit, tmp_path: Path) -> None:
    launch(kit, tmp_path, "runs", SAYS)
    job = job_when(kit, "runs", "Completed", "Failed")
    states = [item["Status"] for item in job["SecondaryStatusTransitions"]]
    assert states == ["Starting", "Downloading", "Training", "Uploading", "Completed"]
    flags, channel, variables = json.loads(said(kit, "runs")[0])
    assert flags == ["--empty", "", "--gate", "True", "--learning-rate", "0.001"]
    assert channel.endswith("/input/data/data")
    # THEN nothing of this machine's settings leaks in, and its model lies in S3
    assert not {"MODEL_BUCKET", "AWS_ENDPOINT_URL", "GITHUB_TOKEN"} & set(variables)
    key = job["ModelArtifacts"]["S3ModelArtifacts"].removeprefix(f"s3://{BUCKET}/")
    assert key == "jobs/runs/output/model.tar.gz"
    body = kit.client("s3").get_object(Bucket=BUCKET, Key=key)["Body"].read()
    assert body[:2] == b"\x1f\x8b"
    assert io.BytesIO(body).getbuffer().nbytes < 1000


def test_stopped_job_ends(kit: Kit, tmp_path: Path) -> None:
    sagemaker = kit.client("sagemaker")
    launch(kit, tmp_path, "stops", WAITS)
    job_when(kit, "stops", "Training")
    sagemaker.stop_training_job(TrainingJobName="stops")
    assert job_when(kit, "stops", "Stopped")["TrainingJobStatus"] == "Stopped"
    with pytest.raises(ClientError, match="rejected because the training job is in status Stopped"):
        sagemaker.stop_training_job(TrainingJobName="stops")


def test_job_without_its_instance_starts_again(kit: Kit, aws: LocalAws, tmp_path: Path) -> None:
    s3, where = kit.client("s3"), {"CheckpointConfig": {"S3Uri": f"s3://{BUCKET}/saved"}}
    launch(kit, tmp_path, "spot", NEEDS_TWO_STARTS, **where)
    wait_for(lambda: s3.list_objects_v2(Bucket=BUCKET, Prefix="saved/mark"), has_contents)
    aws.interrupt_training(job_when(kit, "spot", "Training")["TrainingJobArn"])
    job = job_when(kit, "spot", "Completed", "Failed")
    states = [item["Status"] for item in job["SecondaryStatusTransitions"]]
    once = ["Starting", "Downloading", "Training"]
    assert states == [*once, "Interrupted", *once, "Completed"]


def test_job_that_does_not_run_cannot_be_interrupted(aws: LocalAws) -> None:
    with pytest.raises(KeyError):
        aws.interrupt_training("arn:of:none")


def test_job_without_data_fails(kit: Kit, tmp_path: Path) -> None:
    source = {"S3DataType": "S3Prefix", "S3Uri": f"s3://{BUCKET}/nothing/"}
    channel = {"ChannelName": "data", "DataSource": {"S3DataSource": source}}
    launch(kit, tmp_path, "empty", SAYS, InputDataConfig=[channel])
    assert "matched no files on s3" in job_when(kit, "empty", "Failed")["FailureReason"]


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({}, "ResourceInUse"),
        ({"TrainingJobName": "a", "RoleArn": "arn:aws:iam::123456789012:role/none"}, "assume role"),
        (
            {
                "TrainingJobName": "b",
                "ResourceConfig": {
                    "InstanceType": "ml.none", "InstanceCount": 1, "VolumeSizeInGB": 30,
                },
            },
            "enum value set",
        ),
        ({"TrainingJobName": "c", "EnableManagedSpotTraining": True}, "MaxWaitTimeInSeconds"),
    ],
)  # fmt: skip
def test_job_that_aws_refuses_is_refused(
    kit: Kit, tmp_path: Path, changed: dict[str, Any], told: str
) -> None:
    name = f"twice-{told[:4].lower().replace(' ', '')}"
    launch(kit, tmp_path, name, "")
    with pytest.raises(ClientError, match=told):
        launch(kit, tmp_path / "again", name, "", **changed)


def test_unknown_job_is_not_found(kit: Kit) -> None:
    for call in ("describe_training_job", "stop_training_job"):
        with pytest.raises(ClientError, match=r"Requested resource not found\."):
            getattr(kit.client("sagemaker"), call)(TrainingJobName="nobody-made-this")
