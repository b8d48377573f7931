"""What a function prints is found in CloudWatch Logs, and never more of it than memory allows."""

import gc
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
from moto.logs.models import LogEvent

from local_aws import function_logs
from local_aws.server import LocalAws

from .conftest import wait_for, zip_of

PRINTS = """
import os, sys
print("imported")
def handler(event, context):
    print(event["say"])
    print("a warning", file=sys.stderr)
    return os.environ["AWS_LAMBDA_LOG_STREAM_NAME"]
"""
LEAVES_A_CHILD = """
import subprocess
def handler(event, context):
    return subprocess.Popen(["sleep", "300"]).pid
"""


@pytest.fixture
def kit(tmp_path: Path, make_kit: Any) -> Iterator[Any]:
    """The kit for a local AWS of each test's own: a restart needs one that is not shared."""
    with LocalAws(tmp_path / "own", port=0, api_port=0) as running:
        yield make_kit(running)


def events_of(kit: Any, name: str, pattern: str = "") -> list[dict[str, Any]]:
    answer = kit.client("logs").filter_log_events(
        logGroupName=f"/aws/lambda/{name}", filterPattern=pattern
    )
    return list(answer["events"])


def messages_when(kit: Any, name: str, *wanted: str) -> list[str]:
    """What the function has printed, once all that is wanted is among it."""
    return wait_for(
        lambda: [event["message"] for event in events_of(kit, name)],
        lambda found: set(wanted) <= set(found),
    )


def test_output_reaches_the_log_group(kit: Any) -> None:
    kit.create_function("prints", PRINTS)
    stream, error = kit.call("prints", {"say": "höher"})
    assert error is None
    assert messages_when(kit, "prints", "a warning") == ["imported", "höher", "a warning"]
    assert re.fullmatch(r"\d{4}/\d\d/\d\d/\[\$LATEST\][0-9a-f]{32}", stream)
    assert {event["logStreamName"] for event in events_of(kit, "prints")} == {stream}
    quoted = events_of(kit, "prints", '"a warn"')
    assert [event["message"] for event in quoted] == ["a warning"]


def test_failure_of_import_is_logged(kit: Any) -> None:
    kit.create_function("fails", "import nowhere")
    kit.call("fails")
    found = wait_for(
        lambda: " ".join(event["message"] for event in events_of(kit, "fails")),
        lambda text: "nowhere" in text,
    )
    assert "Runtime.ImportModuleError" in found


def test_deleted_group_comes_back(kit: Any) -> None:
    kit.create_function("prints-on", PRINTS)
    kit.call("prints-on", {"say": "first"})
    messages_when(kit, "prints-on", "first", "a warning")
    kit.client("logs").delete_log_group(logGroupName="/aws/lambda/prints-on")
    kit.call("prints-on", {"say": "second"})
    again = wait_for(
        lambda: kit.client("logs").describe_log_groups(logGroupNamePrefix="/aws/lambda/prints-on"),
        lambda found: found["logGroups"],
    )
    assert len(again["logGroups"]) == 1
    assert "first" not in messages_when(kit, "prints-on", "second", "a warning")


def test_group_keeps_the_newest(kit: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(function_logs, "MOST_EVENTS", 20)
    monkeypatch.setattr(function_logs, "SPARE", 5)
    kit.create_function("talks", PRINTS)
    for number in range(30):
        kit.call("talks", {"say": str(number)})
    found = messages_when(kit, "talks", "29")
    assert 20 <= len(found) <= 25
    assert "0" not in found
    # What is let go is in no other place either.
    gc.collect()
    assert sum(issubclass(type(thing), LogEvent) for thing in gc.get_objects()) <= 25
    # A stream of which nothing is left goes too.
    kit.client("lambda").update_function_code(
        FunctionName="talks", ZipFile=zip_of(PRINTS + "# changed\n")
    )
    kit.settle("talks")
    for number in range(30):
        kit.call("talks", {"say": f"new {number}"})
    messages_when(kit, "talks", "new 29")
    streams = kit.client("logs").describe_log_streams(logGroupName="/aws/lambda/talks")
    assert len(streams["logStreams"]) == 1


def test_endless_line_is_cut(kit: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("local_aws.lambda_plane.MOST_BYTES", 1000)
    kit.create_function("endless", PRINTS)
    kit.call("endless", {"say": "x" * 2500})
    found = messages_when(kit, "endless", "a warning")
    assert [len(message) for message in found if message.startswith("x")] == [1000, 1000, 500]


def test_output_survives_a_restart(tmp_path: Any, make_kit: Any) -> None:
    with LocalAws(tmp_path / "aws", port=0, api_port=0) as aws:
        kit = make_kit(aws)
        kit.create_function("prints", PRINTS)
        kit.call("prints", {"say": "before"})
        messages_when(kit, "prints", "before", "a warning")
    with LocalAws(tmp_path / "aws", port=0, api_port=0) as aws:
        kit = make_kit(aws)
        kit.call("prints", {"say": "after"})
        assert "before" in messages_when(kit, "prints", "after", "a warning")


def test_child_of_a_function_ends_with_it(kit: Any) -> None:
    kit.create_function("leaves", LEAVES_A_CHILD)
    child = psutil.Process(kit.call("leaves")[0])
    # WHEN the environment is stopped, because its code is used no more
    kit.update_code("leaves", PRINTS)
    kit.call("leaves", {"say": "other code"})
    wait_for(
        lambda: child.is_running() and child.status() != psutil.STATUS_ZOMBIE,
        lambda lives: not lives,
    )


def test_alias_moves_while_output_flows(kit: Any) -> None:
    talks = "def handler(event, context):\n    for _ in range(5000): print('x' * 100)\n"
    kit.create_function("floods", talks)
    client = kit.client("lambda")
    versions = []
    for number in range(4):
        kit.update_code("floods", talks + f"# {number}\n")
        versions.append(client.publish_version(FunctionName="floods")["Version"])
    client.create_alias(FunctionName="floods", Name="live", FunctionVersion=versions[0])
    for version in versions[1:]:
        # WHEN an environment with much to say is stopped by a call that holds the gate
        assert json.loads(client.invoke(FunctionName="floods:live")["Payload"].read()) is None
        client.update_alias(FunctionName="floods", Name="live", FunctionVersion=version)
    assert kit.call("floods")[1] is None
