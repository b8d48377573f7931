"""InvokeEndpoint through the uploaded tarball; updates that switch, and updates that fail."""

import threading
import time
from typing import Any

import pytest
from botocore.exceptions import ClientError

from local_aws import sagemaker_plane
from local_aws.server import BUCKET


def test_endpoint_answers_from_tarball(kit: Any) -> None:
    kit.create_endpoint("plain", "plain-1")
    assert kit.invoke("plain", "good", "bad") == {
        "texts": ["good", "bad"],
        "model_version": "plain-1",
    }
    described = kit.client("sagemaker").describe_endpoint(EndpointName="plain")
    assert described["EndpointConfigName"] == "plain-1"
    variant = described["ProductionVariants"][0]
    assert variant["VariantName"] == "all"
    assert variant["CurrentServerlessConfig"] == {"MemorySizeInMB": 2048, "MaxConcurrency": 5}


def test_answer_names_its_variant(kit: Any) -> None:
    kit.create_endpoint("variant", "variant-1")
    answer = kit.client("sagemaker-runtime").invoke_endpoint(
        EndpointName="variant", ContentType="application/json", Body=b'{"inputs": ["a"]}'
    )
    assert answer["InvokedProductionVariant"] == "all"
    assert answer["ContentType"] == "application/json"


@pytest.mark.parametrize(
    ("body", "content_type", "status", "words"),
    [
        (b'{"inputs": ["crash"]}', "application/json", 500, "container's log"),
        (b"\xff\xfe", "application/octet-stream", 400, "not JSON"),
    ],
)
def test_container_errors_become_model_errors(
    kit: Any, body: bytes, content_type: str, status: int, words: str
) -> None:
    name = f"errors-{status}"
    kit.create_endpoint(name, name)
    with pytest.raises(ClientError) as caught:
        kit.client("sagemaker-runtime").invoke_endpoint(
            EndpointName=name, ContentType=content_type, Body=body
        )
    answer: Any = caught.value.response
    assert answer["Error"]["Code"] == "ModelError"
    assert answer["ResponseMetadata"]["HTTPStatusCode"] == 424
    assert answer["OriginalStatusCode"] == status
    assert words in answer["OriginalMessage"]
    assert "a secret of the code" not in str(answer)


def test_unknown_endpoint_is_named(kit: Any) -> None:
    with pytest.raises(ClientError, match="Endpoint nobody of account 123456789012 not found"):
        kit.invoke("nobody", "a")


def test_update_switches_without_failed_requests(kit: Any) -> None:
    kit.create_endpoint("switch", "switch-1")
    kit.release("switch-2")
    seen: list[str] = []
    stopping = threading.Event()

    def poll(client: Any) -> None:
        while not stopping.is_set():
            answer = client.invoke_endpoint(
                EndpointName="switch", ContentType="application/json", Body=b'{"inputs": ["a"]}'
            )
            seen.append(answer["Body"].read().decode().partition("switch-")[2][0])

    threads = [
        threading.Thread(target=poll, args=(kit.aws.client("sagemaker-runtime"),)) for _ in range(3)
    ]
    for thread in threads:
        thread.start()
    try:
        kit.client("sagemaker").update_endpoint(
            EndpointName="switch", EndpointConfigName="switch-2"
        )
        during = kit.client("sagemaker").describe_endpoint(EndpointName="switch")
        kit.endpoint_when("switch", "InService")
        after = kit.invoke("switch", "a")
    finally:
        stopping.set()
        for thread in threads:
            thread.join()
    assert (during["EndpointStatus"], during["EndpointConfigName"]) == ("Updating", "switch-1")
    assert after["model_version"] == "switch-2"
    # A thread that met an error would have died, and pytest would have told.
    assert set(seen) == {"1", "2"}


def test_requests_in_flight_finish_on_old(kit: Any) -> None:
    kit.create_endpoint("flight", "flight-1")
    kit.release("flight-2")
    answers: list[Any] = []
    thread = threading.Thread(target=lambda: answers.append(kit.invoke("flight", "slow")))
    thread.start()
    time.sleep(0.1)  # the request is on its way
    kit.client("sagemaker").update_endpoint(EndpointName="flight", EndpointConfigName="flight-2")
    kit.endpoint_when("flight", "InService")
    assert kit.invoke("flight", "a")["model_version"] == "flight-2"
    thread.join()
    assert answers == [{"texts": ["slow"], "model_version": "flight-1"}]


def test_failed_update_keeps_old(kit: Any) -> None:
    kit.create_endpoint("keeps", "keeps-1")
    kit.release("broken-2")
    kit.client("sagemaker").update_endpoint(EndpointName="keeps", EndpointConfigName="broken-2")
    described = kit.endpoint_when("keeps", "InService")
    assert described["EndpointConfigName"] == "keeps-1"
    assert "did not pass the ping health check" in described["FailureReason"]
    assert "these weights are broken" in described["FailureReason"]
    assert kit.invoke("keeps", "a")["model_version"] == "keeps-1"
    kit.release("keeps-3")
    kit.client("sagemaker").update_endpoint(EndpointName="keeps", EndpointConfigName="keeps-3")
    described = kit.endpoint_when("keeps", "InService")
    assert "FailureReason" not in described
    assert kit.invoke("keeps", "a")["model_version"] == "keeps-3"


def test_failed_creation_says_why(kit: Any) -> None:
    kit.release("broken-1")
    sagemaker = kit.client("sagemaker")
    sagemaker.create_endpoint(EndpointName="failed", EndpointConfigName="broken-1")
    assert sagemaker.describe_endpoint(EndpointName="failed")["EndpointStatus"] == "Creating"
    assert "these weights are broken" in kit.endpoint_when("failed", "Failed")["FailureReason"]
    with pytest.raises(ClientError, match="can only be deleted"):
        sagemaker.update_endpoint(EndpointName="failed", EndpointConfigName="broken-1")


def test_vanished_model_data_fails(kit: Any) -> None:
    kit.release("vanished")
    kit.client("s3").delete_object(Bucket=BUCKET, Key="models/vanished/model.tar.gz")
    kit.client("sagemaker").create_endpoint(EndpointName="vanished", EndpointConfigName="vanished")
    assert "nothing is at s3://" in kit.endpoint_when("vanished", "Failed")["FailureReason"]


def test_damaged_tarball_fails(kit: Any) -> None:
    kit.client("s3").put_object(Bucket=BUCKET, Key="damaged.tar.gz", Body=b"not a tarball")
    kit.create_model("damaged", f"s3://{BUCKET}/damaged.tar.gz")
    kit.create_config("damaged")
    kit.client("sagemaker").create_endpoint(EndpointName="damaged", EndpointConfigName="damaged")
    assert "not a whole .tar.gz" in kit.endpoint_when("damaged", "Failed")["FailureReason"]


def test_deletion_takes_a_moment(kit: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    kit.create_endpoint("going", "going-1")
    sagemaker, same = kit.client("sagemaker"), {"EndpointName": "going"}
    monkeypatch.setattr(sagemaker_plane, "DELETION_SECONDS", 600)
    sagemaker.delete_endpoint(**same)
    assert sagemaker.describe_endpoint(**same)["EndpointStatus"] == "Deleting"
    with pytest.raises(ClientError, match="not found"):
        kit.invoke("going", "a")
    with pytest.raises(ClientError, match="Cannot create already existing endpoint"):
        sagemaker.create_endpoint(**same, EndpointConfigName="going-1")
    with pytest.raises(ClientError, match="Cannot update in-progress endpoint"):
        sagemaker.update_endpoint(**same, EndpointConfigName="going-1")
    with pytest.raises(ClientError, match="Cannot update in-progress endpoint"):
        sagemaker.delete_endpoint(**same)
    sagemaker.delete_endpoint_config(EndpointConfigName="going-1")


def test_deleted_endpoint_leaves_its_name(kit: Any) -> None:
    kit.create_endpoint("gone", "gone-1")
    sagemaker, same = kit.client("sagemaker"), {"EndpointName": "gone"}
    sagemaker.delete_endpoint(**same)
    sagemaker.get_waiter("endpoint_deleted").wait(
        **same, WaiterConfig={"Delay": 0.05, "MaxAttempts": 200}
    )
    with pytest.raises(ClientError, match=r"\(ValidationException\).*Could not find endpoint"):
        sagemaker.describe_endpoint(**same)
    sagemaker.create_endpoint(**same, EndpointConfigName="gone-1")
    kit.endpoint_when("gone", "InService")
    assert kit.invoke("gone", "a")["model_version"] == "gone-1"
