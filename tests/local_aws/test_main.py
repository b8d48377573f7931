"""The command line: `run`, `serve` and `stop`, as a shell uses them."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import psutil
import pytest

from local_aws import __main__ as cli
from local_aws import lock

ROOT = Path(__file__).parents[2]
SHOW = "import json, os; print(json.dumps(dict(os.environ)))"
PUT = """
import boto3, sys
boto3.client("s3").put_object(Bucket="t5-sentiment-models", Key=sys.argv[1], Body=b"x")
"""
LIST = """
import boto3
found = boto3.client("s3").list_objects_v2(Bucket="t5-sentiment-models")
print([item["Key"] for item in found.get("Contents", [])])
"""


@pytest.fixture
def state(tmp_path: Path) -> Iterator[Path]:
    """A state folder; whatever serves it in the background is ended afterwards."""
    yield tmp_path / "state"
    end(tmp_path / "state")


@pytest.fixture(scope="module")
def warm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A state folder that tests share; the first of them starts its server."""
    folder = tmp_path_factory.mktemp("warm")
    yield folder
    end(folder)


def end(folder: Path) -> None:
    """End the background server of a folder, if there is one."""
    server = lock.read(folder)
    if server and server["background"]:
        os.kill(server["pid"], signal.SIGTERM)
        wait_until(lambda: not lock.is_held(folder))


def command(verb: str, state: Path, *flags: str) -> list[str]:
    """The command line of a verb on `state`, with any free ports."""
    ports = [] if verb == "stop" else ["--port", "0", "--api-port", "0"]
    return [sys.executable, "-m", "local_aws", verb, "--state", str(state), *ports, *flags]


def run(verb: str, state: Path, *flags: str, **settings: Any) -> subprocess.CompletedProcess[str]:
    """Run a verb to its end."""
    return subprocess.run(
        command(verb, state, *flags),
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        **settings,
    )


def wait_until(is_right: Callable[[], Any]) -> None:
    """Wait up to 20 s."""
    deadline = time.monotonic() + 20
    while not is_right():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_run_gives_the_environment(warm: Path) -> None:
    foreign = {"AWS_PROFILE": "real", "AWS_SESSION_TOKEN": "real", "AWS_ENDPOINT_URL_S3": "real"}
    done = run("run", warm, "--", sys.executable, "-c", SHOW, env=os.environ | foreign)
    assert done.returncode == 0, done.stderr
    seen = json.loads(done.stdout)
    assert not set(foreign) & set(seen)
    assert re.fullmatch(r"http://127\.0\.0\.1:\d+", seen["AWS_ENDPOINT_URL"])
    assert seen["AWS_CONFIG_FILE"] == seen["AWS_SHARED_CREDENTIALS_FILE"] == "/dev/null"
    assert seen["AWS_REGION"] == seen["AWS_DEFAULT_REGION"] == "us-east-1"
    assert seen["MODEL_BUCKET"] == "t5-sentiment-models"
    assert seen["LAMBDA_ROLE_ARN"].startswith("arn:aws:iam::123456789012:role/")
    again = run("run", warm, "--", sys.executable, "-c", SHOW)
    assert json.loads(again.stdout)["AWS_ENDPOINT_URL"] == seen["AWS_ENDPOINT_URL"]


def test_run_ends_with_commands_code(warm: Path) -> None:
    assert run("run", warm, "--", sys.executable, "-c", "raise SystemExit(7)").returncode == 7
    missing = run("run", warm, "--", "no-such-command")
    assert (missing.returncode, "no-such-command" in missing.stderr) == (127, True)
    assert run("run", warm).returncode == 2


def test_kill_loses_nothing_settled(state: Path) -> None:
    run("run", state, "--", sys.executable, "-c", PUT, "kept")
    server = lock.read(state)
    assert server
    time.sleep(1)  # what is older than a second is on disk
    psutil.Process(server["pid"]).kill()
    wait_until(lambda: not lock.is_held(state))
    done = run("run", state, "--", sys.executable, "-c", LIST)
    assert done.stdout.strip() == "['kept']", done.stderr


def test_stop_ends_the_background_server(state: Path) -> None:
    run("run", state, "--", "true")
    server = lock.read(state)
    assert server
    stopped = run("stop", state)
    assert (stopped.returncode, stopped.stdout) == (0, "Stopped.\n")
    wait_until(lambda: not psutil.pid_exists(server["pid"]))
    again = run("stop", state)
    assert (again.returncode, again.stdout) == (0, f"No local AWS is running on {state}.\n")


def test_server_in_use_is_not_ended(state: Path) -> None:
    with subprocess.Popen(
        command("run", state, "--", sys.executable, "-c", "input()"),
        cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    ) as using:  # fmt: skip
        wait_until(lambda: lock.is_in_use(state))
        for verb in ("stop", "serve"):
            refused = run(verb, state)
            assert refused.returncode == 2
            assert "A command is running on the local AWS" in refused.stderr
        using.communicate(b"\n")
        assert using.returncode == 0
    assert run("stop", state).returncode == 0


def test_background_server_lingers_no_longer(state: Path) -> None:
    assert run("run", state, "--linger", "0.5", "--", sys.executable, "-c", "0").returncode == 0
    wait_until(lambda: not lock.is_held(state))
    assert "ending" in (state / "server.log").read_text()


def test_serve_takes_over_and_shows_urls(state: Path, make_api: str) -> None:
    run("run", state, "--", sys.executable, "-c", make_api)
    background = lock.read(state)
    assert background
    serving = subprocess.Popen(
        command("serve", state), cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    try:
        assert serving.stdout
        lines = [serving.stdout.readline() for _ in range(4)]
        foreground = lock.read(state)
        assert foreground
        assert foreground["pid"] == serving.pid != background["pid"]
        assert "Ctrl-C" in lines[0]
        assert re.fullmatch(r"shown: http://127\.0\.0\.1:\d+\n", lines[2])
        assert f"curl -s {lines[2].split()[1]}/predict" in lines[3]
        refused = run("serve", state)
        assert refused.returncode == 2
        assert "Another local AWS already serves" in refused.stderr
        assert run("stop", state).returncode == 2
    finally:
        serving.send_signal(signal.SIGINT)
        _, errors = serving.communicate(timeout=20)
    assert (serving.returncode, errors) == (0, "")


@pytest.fixture
def make_api() -> str:
    """A script that makes an HTTP API named "shown"."""
    return (
        "import boto3; boto3.client('apigatewayv2').create_api(Name='shown', ProtocolType='HTTP')"
    )


@pytest.mark.parametrize("verb", ["run", "serve"])
def test_port_in_use_is_one_line(state: Path, verb: str) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        tail = ["--", "true"] if verb == "run" else []
        done = run(verb, state, "--port", str(port), *tail)
    assert done.returncode == 2
    assert re.fullmatch(
        rf"error: Port {port} is in use by another program.*--port\.\n", done.stderr
    )


def test_serve_opens_the_first_page_where_somebody_sees_it(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    opened: list[str] = []
    monkeypatch.setattr("webbrowser.open", opened.append)
    apis = SimpleNamespace(apis=lambda: {"one": "http://127.0.0.1:1", "two": "http://127.0.0.1:2"})
    apis.endpoint_url = apis.state = "local"
    for opens in (False, True):
        stopping = threading.Event()
        threading.Timer(0.5, stopping.set).start()
        cli._show_apis(apis, stopping, opens)
    assert opened == ["http://127.0.0.1:1"]
    # Under pytest there is no terminal, so nobody would see it.
    assert not cli._has_desktop()
