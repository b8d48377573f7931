"""The uploaded zip runs, version by version; failures and limits are told as AWS tells them."""

import json
import threading
import time
from typing import Any

import pytest
from botocore.exceptions import ClientError

from .conftest import wait_for, zip_of

VERSION = "def handler(event, context): return {number}\n"
ENVIRONMENT = """
import os
def handler(event, context):
    return {**os.environ, "remaining": context.get_remaining_time_in_millis(),
            "arn": context.invoked_function_arn, "id": context.aws_request_id}
"""
CALLS_BACK = """
import boto3
def handler(event, context):
    return [b["Name"] for b in boto3.client("s3").list_buckets()["Buckets"]]
"""
COUNTS = """
import os, time
calls = 0
def handler(event, context):
    global calls
    calls += 1
    time.sleep(event or 0)
    return [os.getpid(), calls]
"""
FAILURES = {
    "raises": ("def handler(e, c): raise KeyError('inputs')", "KeyError", "inputs"),
    "exits": ("import os\ndef handler(e, c): os._exit(3)", "Runtime.ExitError", "exit status 3"),
    "imports": ("import nowhere", "Runtime.ImportModuleError", "nowhere"),
    "lacks": ("x = 1", "Runtime.HandlerNotFound", "handler"),
    "hangs": ("import time\ndef handler(e, c): time.sleep(60)", "Sandbox.Timedout", "1.00 seconds"),
}


def refused(code: str, words: str) -> Any:
    """Expect an error of Lambda."""
    return pytest.raises(ClientError, match=rf"\({code}\).*{words}")


def test_function_gets_event_and_environment(kit: Any) -> None:
    arn = kit.create_function(
        "environment", ENVIRONMENT, Environment={"Variables": {"MINE": "yes"}}, Timeout=7
    )
    found, error = kit.call("environment")
    assert error is None
    assert found["MINE"] == "yes"
    assert found["AWS_LAMBDA_FUNCTION_NAME"] == "environment"
    assert found["AWS_LAMBDA_FUNCTION_VERSION"] == "$LATEST"
    assert found["AWS_LAMBDA_FUNCTION_MEMORY_SIZE"] == "128"
    assert found["_HANDLER"] == "handler.handler"
    assert found["AWS_ENDPOINT_URL"] == kit.aws.endpoint_url
    assert found["arn"] == arn
    assert 0 < found["remaining"] <= 7000


def test_function_reaches_local_services(kit: Any) -> None:
    kit.create_function("calls-back", CALLS_BACK, Timeout=20)
    assert kit.call("calls-back") == (["t5-sentiment-models"], None)


def test_warm_environment_is_reused(kit: Any) -> None:
    kit.create_function("warm", COUNTS)
    first, second = kit.call("warm")[0], kit.call("warm")[0]
    assert second == [first[0], 2]


def test_parallel_events_run_side_by_side(kit: Any) -> None:
    kit.create_function("parallel", COUNTS)
    answers: list[Any] = []
    threads = [
        threading.Thread(target=lambda: answers.append(kit.call("parallel", 0.5)[0]))
        for _ in range(10)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    # Ten at once on eight environments: each busy with one event at a time, two waited.
    assert len({process for process, _ in answers}) == 8
    assert sorted(calls for _, calls in answers) == [1] * 8 + [2] * 2


@pytest.mark.parametrize("name", FAILURES)
def test_failures_are_told(kit: Any, name: str) -> None:
    code, kind, words = FAILURES[name]
    kit.create_function(name, code, Timeout=1)
    began = time.monotonic()
    result, error = kit.call(name)
    assert time.monotonic() - began < 5
    assert error == "Unhandled"
    assert result["errorType"] == kind
    assert words in result["errorMessage"]


def test_function_recovers_after_timeout(kit: Any) -> None:
    kit.create_function("recovers", COUNTS, Timeout=1)
    assert kit.call("recovers", 30)[1] == "Unhandled"
    assert kit.call("recovers", 0)[0][1] == 1


def test_alias_moves_between_versions(kit: Any) -> None:
    functions = kit.client("lambda")
    kit.create_function(
        "moves", VERSION.format(number=1), Environment={"Variables": {"A": "1"}}, MemorySize=256
    )
    assert functions.publish_version(FunctionName="moves")["Version"] == "1"
    functions.create_alias(FunctionName="moves", Name="live", FunctionVersion="1")
    kit.update_code("moves", VERSION.format(number=2))
    functions.update_function_configuration(
        FunctionName="moves", MemorySize=512, Environment={"Variables": {"A": "2"}}
    )
    kit.settle("moves")
    assert kit.call("moves:live")[0] == kit.call("moves", Qualifier="live")[0] == 1
    assert functions.publish_version(FunctionName="moves")["Version"] == "2"
    functions.update_alias(FunctionName="moves", Name="live", FunctionVersion="2")
    assert kit.call("moves", Qualifier="live")[0] == 2
    assert kit.call("moves", Qualifier="1")[0] == 1
    first = functions.get_function_configuration(FunctionName="moves", Qualifier="1")
    assert (first["MemorySize"], first["Environment"]) == (256, {"Variables": {"A": "1"}})
    functions.update_alias(FunctionName="moves", Name="live", FunctionVersion="1")
    assert kit.call("moves", Qualifier="live")[0] == 1


def test_version_numbers_never_return(kit: Any) -> None:
    functions = kit.client("lambda")
    kit.create_function("numbers", VERSION.format(number=1))
    functions.publish_version(FunctionName="numbers")
    assert functions.publish_version(FunctionName="numbers")["Version"] == "1"  # nothing new
    kit.update_code("numbers", VERSION.format(number=2))
    functions.publish_version(FunctionName="numbers")
    functions.delete_function(FunctionName="numbers", Qualifier="1")
    kit.update_code("numbers", VERSION.format(number=3))
    assert functions.publish_version(FunctionName="numbers")["Version"] == "3"


def test_old_environment_ends_with_its_code(kit: Any) -> None:
    kit.create_function("ends", COUNTS)
    process = kit.call("ends")[0][0]
    kit.update_code("ends", COUNTS + "# changed")
    assert kit.call("ends")[0][0] != process
    with pytest.raises(ProcessLookupError):
        __import__("os").kill(process, 0)


def test_event_invocation_does_not_wait(kit: Any, tmp_path: Any) -> None:
    kit.create_function(
        "later", "import pathlib\ndef handler(e, c): pathlib.Path(e).write_text('done')"
    )
    answer = kit.client("lambda").invoke(
        FunctionName="later", InvocationType="Event", Payload=json.dumps(str(tmp_path / "mark"))
    )
    assert answer["StatusCode"] == 202
    wait_for((tmp_path / "mark").exists, bool)


def test_existing_things_are_refused(kit: Any) -> None:
    functions = kit.client("lambda")
    arn = kit.create_function("existing")
    functions.publish_version(FunctionName="existing")
    functions.create_alias(FunctionName="existing", Name="live", FunctionVersion="1")
    kit.allow(arn, "api")
    with refused("ResourceConflictException", "already exist"):
        kit.create_function("existing")
    with refused("ResourceConflictException", "statement id"):
        kit.allow(arn, "api")
    with refused("ResourceConflictException", "Alias already exists"):
        functions.create_alias(FunctionName="existing", Name="live", FunctionVersion="1")
    with refused("ResourceConflictException", "alias live points to it"):
        functions.delete_function(FunctionName="existing", Qualifier="1")
    kit.allow(f"{arn}:live", "api")  # another resource, so another policy


def test_policies_belong_to_their_alias(kit: Any) -> None:
    functions = kit.client("lambda")
    arn = kit.create_function("policies")
    functions.publish_version(FunctionName="policies")
    functions.create_alias(FunctionName="policies", Name="live", FunctionVersion="1")
    kit.allow(f"{arn}:live", "one")
    policy = json.loads(functions.get_policy(FunctionName="policies", Qualifier="live")["Policy"])
    assert [statement["Sid"] for statement in policy["Statement"]] == ["api-one"]
    with refused("ResourceNotFoundException", ""):
        functions.get_policy(FunctionName="policies")
    with refused("ResourceNotFoundException", ""):
        functions.remove_permission(FunctionName="policies", StatementId="api-one")
    functions.remove_permission(FunctionName="policies", StatementId="api-one", Qualifier="live")
    with refused("ResourceNotFoundException", ""):
        functions.get_policy(FunctionName="policies", Qualifier="live")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"Role": "arn:aws:iam::123456789012:role/nobody"}, "cannot be assumed by Lambda"),
        ({"Code": {"ZipFile": b"not a zip"}}, "Could not unzip"),
        ({"Code": {"S3Bucket": "t5-sentiment-models", "S3Key": "no.zip"}}, "NoSuchKey"),
        ({"Environment": {"Variables": {"AWS_REGION": "x"}}}, "reserved keys"),
    ],
)
def test_wrong_specifications_are_refused(kit: Any, change: Any, words: str) -> None:
    specification = {
        "FunctionName": "wrong",
        "Runtime": "python3.11",
        "Role": kit.environment["LAMBDA_ROLE_ARN"],
        "Handler": "handler.handler",
        "Code": {"ZipFile": zip_of("")},
        **change,
    }
    with refused("InvalidParameterValueException", words):
        kit.client("lambda").create_function(**specification)


def test_unsettled_function_is_left_alone(kit: Any) -> None:
    kit.create_function("unsettled")
    functions = kit.client("lambda")
    functions.update_function_code(FunctionName="unsettled", ZipFile=zip_of("x = 1"))
    with refused("ResourceConflictException", "An update is in progress"):
        functions.publish_version(FunctionName="unsettled")
    functions.get_waiter("function_updated_v2").wait(FunctionName="unsettled")
    assert functions.publish_version(FunctionName="unsettled")["Version"] == "1"


def test_unknown_function_is_not_found(kit: Any) -> None:
    with refused("ResourceNotFoundException", "Function not found"):
        kit.call("nobody")
    kit.create_function("known")
    with refused("ResourceNotFoundException", "known:nowhere"):
        kit.call("known", Qualifier="nowhere")
