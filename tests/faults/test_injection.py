"""The seam itself: calls are recorded as made, each fault is what AWS and botocore make of it."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from botocore.exceptions import ClientError, ReadTimeoutError

from bench.faults.injection import (
    ALWAYS,
    DENIED,
    KILLED_AFTER,
    KILLED_BEFORE,
    ONCE,
    SERVER_ERROR,
    TIMEOUT,
    Call,
    FaultyClients,
    Injector,
    Killed,
)
from bench.faults.poller import Poller
from bench.faults.world import World
from local_aws.server import BUCKET

PUT = Call("step", "s3", "PutObject", 1)


@pytest.fixture
def clients(world: World) -> Iterator[FaultyClients]:
    made = FaultyClients()
    yield made
    made.s3.delete_object(Bucket=BUCKET, Key="it")


def breaking(clients: FaultyClients, call: Call, fault: str) -> Injector:
    clients.injector = Injector(call, fault)
    clients.injector.step = call.step
    return clients.injector


def put(clients: FaultyClients) -> None:
    clients.s3.put_object(Bucket=BUCKET, Key="it", Body=b"it")


def is_there(world: World) -> bool:
    return "Contents" in world.aws.client("s3").list_objects_v2(Bucket=BUCKET, Prefix="it")


def test_calls_are_recorded_in_order(clients: FaultyClients) -> None:
    injector = clients.injector
    put(clients)
    for _ in range(3):
        clients.sts.get_caller_identity()
    put(clients)
    assert [str(call) for call in injector.calls] == [
        "s3 PutObject",
        "sts GetCallerIdentity",
        "s3 PutObject (2)",
    ]


def test_throttled_once_is_tried_again(clients: FaultyClients) -> None:
    injector = breaking(clients, PUT, ONCE)
    put(clients)
    assert (injector.hits, injector.requests) == (2, 2)


@pytest.mark.parametrize("service", ["s3", "sagemaker", "lambda_", "apigateway", "ses", "sts"])
@pytest.mark.parametrize(
    ("fault", "status"), [(ALWAYS, (400, 429, 503)), (SERVER_ERROR, (500,)), (DENIED, (400, 403))]
)
def test_refusals_speak_the_services_protocol(
    clients: FaultyClients, service: str, fault: str, status: tuple[int, ...]
) -> None:
    operation, method = {
        "s3": ("ListBuckets", "list_buckets"),
        "sagemaker": ("ListModels", "list_models"),
        "lambda_": ("ListFunctions", "list_functions"),
        "apigateway": ("GetApis", "get_apis"),
        "ses": ("ListEmailIdentities", "list_email_identities"),
        "sts": ("GetCallerIdentity", "get_caller_identity"),
    }[service]
    client = getattr(clients, service)
    name = client.meta.service_model.service_name
    injector = breaking(clients, Call("step", name, operation, 1), fault)
    with pytest.raises(ClientError) as caught:
        getattr(client, method)()
    answer = caught.value.response
    assert answer["ResponseMetadata"]["HTTPStatusCode"] in status
    assert answer["Error"]["Code"]
    assert operation not in answer["Error"]["Message"]
    assert injector.requests == (1 if fault == DENIED else 6)


def test_timeout_comes_after_the_effect(
    world: World, clients: FaultyClients, monkeypatch: pytest.MonkeyPatch
) -> None:
    injector = breaking(clients, PUT, TIMEOUT)
    seen: list[bool] = []

    def remember(exception: Exception | None, **_: object) -> None:
        if isinstance(exception, ReadTimeoutError):
            seen.append(is_there(world))

    clients.s3.meta.events.register("response-received.s3.PutObject", remember)
    put(clients)
    assert seen == [True]
    assert injector.requests == 2


@pytest.mark.parametrize(("fault", "happened"), [(KILLED_BEFORE, False), (KILLED_AFTER, True)])
def test_kill_ends_everything(
    world: World, clients: FaultyClients, tmp_path: Path, fault: str, happened: bool
) -> None:
    file = tmp_path / "file"
    file.write_bytes(b"it")
    breaking(clients, PUT, fault)
    with pytest.raises(Killed):
        clients.s3.upload_file(str(file), BUCKET, "it")
    with pytest.raises(Killed):
        clients.sts.get_caller_identity()
    assert is_there(world) is happened
    clients.injector = Injector()


def test_poller_sees_what_fails(free_port: int) -> None:
    with Poller(f"http://127.0.0.1:{free_port}") as poller:
        poller.wait_for_request()
    assert not poller.answers
    assert "ConnectionError" in poller.failures[0]
