"""What was made survives a stop, and a snapshot that cannot be used does no harm."""

import hashlib
import os
import socket
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
import pytest
import requests
from moto.sagemaker.models import SageMakerModelBackend

from local_aws import sagemaker_plane
from local_aws.server import BUCKET, LocalAws
from local_aws.state import StateStore
from pipeline_steps.errors import ConfigurationError
from tests.local_aws.conftest import wait_for
from tests.local_aws.jobs import NEEDS_TWO_STARTS, has_contents, job_when, launch

BIG = os.urandom(9 * 1024 * 1024)  # enough for boto3 to upload it in parts


def test_restart_keeps_everything(tmp_path: Path, make_kit: Callable[[LocalAws], Any]) -> None:
    body = tmp_path / "big"
    body.write_bytes(BIG)
    with LocalAws(tmp_path / "aws", port=0, api_port=0) as aws:
        kit = make_kit(aws)
        kit.create_endpoint("kept", "kept-1")
        functions = kit.client("lambda")
        arn = kit.create_function("kept", "def handler(e, c): return {'version': 1}")
        functions.publish_version(FunctionName="kept")
        functions.create_alias(FunctionName="kept", Name="live", FunctionVersion="1")
        url = kit.create_api("kept", f"{arn}:live", "GET /")
        kit.client("s3").upload_file(str(body), BUCKET, "big")
        kit.client("s3").put_object(Bucket=BUCKET, Key="small", Body=b"old")
        kit.client("s3").put_object(Bucket=BUCKET, Key="small", Body=b"new")
        before = kit.client("apigatewayv2").get_apis()["Items"]
        assert requests.get(url, timeout=10).json() == {"version": 1}
    with pytest.raises(requests.ConnectionError):
        requests.get(url, timeout=10)

    with LocalAws(tmp_path / "aws", port=0, api_port=0) as aws:
        kit = make_kit(aws)
        assert not list((tmp_path / "aws" / "containers").glob("*"))  # scaled to zero
        assert kit.client("apigatewayv2").get_apis()["Items"] == before
        assert requests.get(url, timeout=10).json() == {"version": 1}
        assert kit.invoke("kept", "a")["model_version"] == "kept-1"
        assert kit.client("s3").get_object(Bucket=BUCKET, Key="big")["Body"].read() == BIG
        versions = kit.client("s3").list_object_versions(Bucket=BUCKET, Prefix="small")["Versions"]
        bodies = [
            kit.client("s3")
            .get_object(Bucket=BUCKET, Key="small", VersionId=version["VersionId"])["Body"]
            .read()
            for version in versions
        ]
        assert sorted(bodies) == [b"new", b"old"]
        kit.update_code("kept", "def handler(e, c): return {'version': 2}")
        assert kit.client("lambda").publish_version(FunctionName="kept")["Version"] == "2"
        kit.client("lambda").update_alias(FunctionName="kept", Name="live", FunctionVersion="2")
        assert requests.get(url, timeout=10).json() == {"version": 2}
        kit.release("kept-2")
        kit.client("sagemaker").update_endpoint(EndpointName="kept", EndpointConfigName="kept-2")
        kit.endpoint_when("kept", "InService")
        assert kit.invoke("kept", "a")["model_version"] == "kept-2"


TEMPLATE = """
Resources:
  Topic: {Type: AWS::SNS::Topic, Properties: {TopicName: !Sub "${AWS::StackName}-alarms"}}
  Bucket: {Type: AWS::S3::Bucket, Properties: {BucketName: stacked-models}}
Outputs: {TopicArn: {Value: !Ref Topic}}
"""


def test_restart_keeps_the_rest(tmp_path: Path, make_kit: Callable[[LocalAws], Any]) -> None:
    where = {
        "ServiceNamespace": "sagemaker",
        "ResourceId": "endpoint/warm/variant/all",
        "ScalableDimension": "sagemaker:variant:DesiredProvisionedConcurrency",
    }
    with LocalAws(tmp_path, port=0, api_port=0) as aws:
        kit = make_kit(aws)
        kit.client("cloudformation").create_stack(StackName="stacked", TemplateBody=TEMPLATE)
        kit.create_model("warm", kit.upload_model("warm"))
        kit.create_config("warm", ProvisionedConcurrency=1)
        kit.client("sagemaker").create_endpoint(EndpointName="warm", EndpointConfigName="warm")
        kit.endpoint_when("warm", "InService")
        kit.client("application-autoscaling").register_scalable_target(
            **where, MinCapacity=1, MaxCapacity=2
        )
        kit.client("sagemaker").create_model_package_group(ModelPackageGroupName="kept")
    with LocalAws(tmp_path, port=0, api_port=0) as aws:
        kit = make_kit(aws)
        (stack,) = kit.client("cloudformation").describe_stacks(StackName="stacked")["Stacks"]
        assert stack["StackStatus"] == "CREATE_COMPLETE"
        kit.client("sns").get_topic_attributes(TopicArn=stack["Outputs"][0]["OutputValue"])
        kit.client("s3").head_bucket(Bucket="stacked-models")
        kit.client("application-autoscaling").deregister_scalable_target(**where)
        kit.client("sagemaker").delete_model_package_group(ModelPackageGroupName="kept")
        kit.client("cloudformation").delete_stack(StackName="stacked")


def test_deleted_bodies_leave_the_disk(tmp_path: Path, make_kit: Callable[[LocalAws], Any]) -> None:
    objects = tmp_path / "objects"
    digest = hashlib.sha256(b"x" * 100_000).hexdigest()
    with LocalAws(tmp_path, port=0, api_port=0) as aws:
        s3 = make_kit(aws).client("s3")
        s3.create_bucket(Bucket="plain")
        s3.put_object(Bucket="plain", Key="a", Body=b"x" * 100_000)
    assert (objects / digest).exists()
    with LocalAws(tmp_path, port=0, api_port=0) as aws:
        make_kit(aws).client("s3").delete_object(Bucket="plain", Key="a")
    assert not (objects / digest).exists()


def test_interrupted_update_goes_on(tmp_path: Path, make_kit: Callable[[LocalAws], Any]) -> None:
    with LocalAws(tmp_path, port=0, api_port=0) as aws:
        kit = make_kit(aws)
        kit.create_endpoint("goes-on", "goes-on-1")
        kit.release("goes-on-2")
        kit.client("sagemaker").update_endpoint(
            EndpointName="goes-on", EndpointConfigName="goes-on-2"
        )
    with LocalAws(tmp_path, port=0, api_port=0) as aws:
        kit = make_kit(aws)
        described = kit.endpoint_when("goes-on", "InService")
        assert described["EndpointConfigName"] == "goes-on-2"
        assert kit.invoke("goes-on", "a")["model_version"] == "goes-on-2"


def test_interrupted_deletion_goes_on(
    tmp_path: Path, make_kit: Callable[[LocalAws], Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sagemaker_plane, "DELETION_SECONDS", 600)
    with LocalAws(tmp_path, port=0, api_port=0) as aws:
        kit = make_kit(aws)
        kit.create_endpoint("goes", "goes-1")
        kit.client("sagemaker").delete_endpoint(EndpointName="goes")
    with LocalAws(tmp_path, port=0, api_port=0) as aws:
        described = make_kit(aws).client("sagemaker").describe_endpoint(EndpointName="goes")
        assert described["EndpointStatus"] == "Deleting"
    monkeypatch.setattr(sagemaker_plane, "DELETION_SECONDS", 0)
    with LocalAws(tmp_path, port=0, api_port=0) as aws:
        make_kit(aws).client("sagemaker").get_waiter("endpoint_deleted").wait(
            EndpointName="goes", WaiterConfig={"Delay": 0.05, "MaxAttempts": 200}
        )


@pytest.mark.parametrize("damage", [b'{"moto": "1.0"}\nold', None])
def test_unusable_snapshot_is_set_aside(
    tmp_path: Path,
    make_kit: Callable[[LocalAws], Any],
    caplog: pytest.LogCaptureFixture,
    damage: bytes | None,
) -> None:
    snapshot = tmp_path / "state.pickle"
    with LocalAws(tmp_path, port=0, api_port=0) as aws:
        make_kit(aws).client("s3").create_bucket(Bucket="before")
    whole = snapshot.read_bytes()
    written = whole[: len(whole) // 2] if damage is None else damage
    snapshot.write_bytes(written)
    with LocalAws(tmp_path, port=0, api_port=0) as aws:
        buckets = make_kit(aws).client("s3").list_buckets()["Buckets"]
    assert [bucket["Name"] for bucket in buckets] == [BUCKET]
    assert "starting fresh" in caplog.text
    (aside,) = tmp_path.glob("set-aside-*")
    assert (aside / "state.pickle").read_bytes() == written


def test_nothing_is_left_behind(tmp_path: Path, make_kit: Callable[[LocalAws], Any]) -> None:
    original = SageMakerModelBackend.create_model
    threads = set(threading.enumerate())
    this = psutil.Process()
    children, files = set(this.children(recursive=True)), this.num_fds()
    with LocalAws(tmp_path, port=0, api_port=0) as aws:
        kit = make_kit(aws)
        kit.create_endpoint("left", "left-1")
        kit.invoke("left", "a")
        kit.create_function("left", "def handler(e, c): pass")
        kit.call("left")
        assert set(this.children(recursive=True)) > children
        assert SageMakerModelBackend.create_model is not original
    for client in kit._clients.values():
        client.close()
    assert set(threading.enumerate()) == threads
    assert set(this.children(recursive=True)) == children
    assert this.num_fds() <= files
    assert SageMakerModelBackend.create_model is original
    assert not hasattr(SageMakerModelBackend, "update_endpoint")


def test_close_ends_a_thread_about_to_save(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # GIVEN a thread that has waited long enough, and is told to end before it goes on
    store = StateStore(tmp_path, threading.RLock())
    store._bodies.folder.mkdir()

    def ended_too_late(_seconds: float) -> bool:
        store._closing.set()
        store._dirty.set()
        return False

    monkeypatch.setattr(store._closing, "wait", ended_too_late)
    store.start()
    store.changed()
    # THEN it ends
    store._thread.join(30)
    assert not store._thread.is_alive()


def test_second_server_on_folder_refused(tmp_path: Path) -> None:
    with LocalAws(tmp_path, port=0, api_port=0), pytest.raises(RuntimeError, match="already"):
        LocalAws(tmp_path / "other", port=0, api_port=0).__enter__()


@pytest.mark.parametrize("flag", ["--port", "--api-port"])
def test_port_in_use_is_named(tmp_path: Path, flag: str) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        ports = {"port": 0, "api_port": 0, flag.removeprefix("--").replace("-", "_"): port}
        with pytest.raises(ConfigurationError, match=rf"Port {port} is in use.*{flag}"):
            LocalAws(tmp_path, **ports).__enter__()
    with LocalAws(tmp_path, **ports) as aws:
        assert aws.endpoint_url


def test_apis_move_when_asked(tmp_path: Path, make_kit: Callable[[LocalAws], Any]) -> None:
    with LocalAws(tmp_path, port=0, api_port=0) as aws:
        kit = make_kit(aws)
        url = kit.create_api("moves", kit.create_function("moves"), "GET /")
    with socket.socket() as finder:
        finder.bind(("127.0.0.1", 0))
        port = finder.getsockname()[1]
    with LocalAws(tmp_path, port=0, api_port=port) as aws:
        assert aws.apis() == {"moves": f"http://127.0.0.1:{port}"} != {"moves": url}
        assert requests.get(f"http://127.0.0.1:{port}", timeout=10).ok
    with LocalAws(tmp_path, port=0) as aws:
        assert aws.apis() == {"moves": f"http://127.0.0.1:{port}"}


def test_interrupted_training_goes_on(tmp_path: Path, make_kit: Callable[[LocalAws], Any]) -> None:
    # GIVEN a job that needs two starts, and a server that is stopped during the first
    where = {"CheckpointConfig": {"S3Uri": f"s3://{BUCKET}/saved"}}
    with LocalAws(tmp_path / "aws", port=0, api_port=0) as aws:
        kit = make_kit(aws)
        launch(kit, tmp_path, "goes-on", NEEDS_TWO_STARTS, **where)
        s3 = kit.client("s3")
        wait_for(lambda: s3.list_objects_v2(Bucket=BUCKET, Prefix="saved/mark"), has_contents)
    # WHEN it is back THEN so is the job, from its last checkpoint
    with LocalAws(tmp_path / "aws", port=0, api_port=0) as aws:
        kit = make_kit(aws)
        assert job_when(kit, "goes-on", "Completed", "Failed")["TrainingJobStatus"] == "Completed"
