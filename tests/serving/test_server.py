"""The container's server as a process: health, answers, refusals, and a clean end."""

import concurrent.futures
import http.client
import json
import os
import pickle
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import psutil
import pytest
import requests

from pipeline_steps import serving_process
from pipeline_steps.serving_process import ServingError, ServingProcess

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def server(packaged_once: Path) -> Iterator[ServingProcess]:
    with ServingProcess(packaged_once / "demo" / "candidate") as process:
        yield process


def ask(server: ServingProcess, text: str) -> requests.Response:
    return server.invoke(json.dumps({"inputs": text}).encode())


def test_ping_is_well(server: ServingProcess) -> None:
    assert requests.get(f"{server.url}/ping", timeout=10).status_code == 200


def test_prediction_names_its_version(server: ServingProcess) -> None:
    answer = ask(server, "fine")
    assert answer.status_code == 200
    assert answer.headers["X-Model-Version"] == answer.json()["model_version"]


def test_client_fault_is_400_without_traceback(server: ServingProcess) -> None:
    answer = server.invoke(b"{")
    assert answer.status_code == 400
    assert "not JSON" in answer.json()["error"]
    assert "Traceback" not in answer.text


@pytest.mark.parametrize(("method", "path"), [("GET", "/"), ("POST", "/other")])
def test_unknown_path_is_404(server: ServingProcess, method: str, path: str) -> None:
    answer = requests.request(method, server.url + path, data=b"x", timeout=10)
    assert answer.status_code == 404


def test_body_over_the_limit_is_413(server: ServingProcess) -> None:
    address = urlsplit(server.url)
    connection = http.client.HTTPConnection(str(address.hostname), address.port, timeout=10)
    connection.putrequest("POST", "/invocations")
    connection.putheader("Content-Length", str(7 * 1024 * 1024))
    connection.endheaders()
    # Refused by its length alone: nothing of the body was sent
    assert connection.getresponse().status == 413
    connection.close()


def test_body_without_length_is_411(server: ServingProcess) -> None:
    answer = requests.post(f"{server.url}/invocations", data=iter([b"{}"]), timeout=10)
    assert answer.status_code == 411


def test_parallel_requests_keep_their_answers(server: ServingProcess) -> None:
    texts = [f"a {word} film" for word in ("fine", "dull", "bright", "sad")] * 8
    alone = {text: ask(server, text).json()["predictions"] for text in set(texts)}
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        for text, answer in zip(texts, pool.map(lambda t: ask(server, t), texts), strict=True):
            assert answer.json()["predictions"] == alone[text]


def test_model_that_cannot_load_ends_with_its_reason(packaged_once: Path, tmp_path: Path) -> None:
    broken = tmp_path / "broken"
    shutil.copytree(packaged_once / "demo" / "candidate", broken)
    weights = broken / "model.onnx"
    weights.write_bytes(weights.read_bytes()[:100])
    with pytest.raises(ServingError, match=r"ended with 1:(.|\n)*is no readable model"):
        ServingProcess(broken).start()


@pytest.mark.parametrize(
    "text",
    [
        "😀👍🏽",
        "\u202eمرحبا بالعالم\u202c",
        "\x00\x07\x1b[31m",
        "☃ ☃",
        "日本",
        "\u200b",
        "'; DROP --",
        "a" * 9999,
    ],
)
def test_odd_texts_are_answered(server: ServingProcess, text: str) -> None:
    answer = ask(server, text)
    assert answer.status_code == 200
    assert 0.5 <= answer.json()["predictions"][0]["score"] <= 1


@pytest.mark.parametrize("runtime", ["onnx", "pytorch"])
def test_pickle_in_disguise_is_not_loaded(
    candidates: dict[str, Path], tmp_path: Path, runtime: str
) -> None:
    broken, trace = tmp_path / "broken", tmp_path / "executed"
    shutil.copytree(candidates[runtime], broken)
    (weights,) = (
        path for path in broken.glob("model.*") if path.suffix in (".safetensors", ".onnx")
    )
    weights.write_bytes(pickle.dumps(Trap(str(trace))))
    with pytest.raises(ServingError, match="Refused to start"):
        ServingProcess(broken).start()
    assert not trace.exists()


class Trap:
    """Leaves a file where it is unpickled."""

    def __init__(self, path: str) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return (open, (self.path, "w"))


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("SERVING_THREADS", "-1"),
        ("SERVING_QUEUE", "many"),
        ("SERVING_METRICS", "yes"),
        ("SAGEMAKER_MAX_PAYLOAD_IN_MB", "1e3"),
        ("LOG_LEVEL", "loud"),
    ],
)
def test_bad_variable_refuses_to_start(tmp_path: Path, variable: str, value: str) -> None:
    with pytest.raises(ServingError, match=r"ended with 2:(.|\n)*Refused to start") as caught:
        ServingProcess(tmp_path, {variable: value}).start()
    assert value in str(caught.value)


def test_folder_gone_before_the_start_leaves_no_log_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    process = ServingProcess(tmp_path / "gone")
    with pytest.raises(FileNotFoundError, match="gone"):
        process.start()
    assert list(tmp_path.iterdir()) == []


def test_log_is_one_json_object_a_line(packaged_once: Path) -> None:
    with ServingProcess(packaged_once / "demo" / "candidate", {"LOG_LEVEL": "DEBUG"}) as process:
        process.invoke(b'{"inputs": "a private matter"}')
        # A request is logged after its answer has left, and before the next one is read.
        assert requests.get(f"{process.url}/ping", timeout=10).status_code == 200
        lines = process.log().splitlines()
    told = [json.loads(line) for line in lines if line.startswith("{")]
    assert {"message", "time", "level"} <= set(told[0])
    assert told[-1]["status"] == 200
    assert "private" not in str(lines)


def test_sigterm_ends_it_cleanly(packaged_once: Path) -> None:
    process = ServingProcess(packaged_once / "demo" / "candidate")
    process.start()
    assert process.is_alive
    process.stop()
    assert process.exit_code == 0


def test_sigterm_amid_a_request_lets_it_be_answered(packaged_once: Path) -> None:
    body = b'{"inputs": "a fine film"}'
    head = (
        b"POST /invocations HTTP/1.1\r\nHost: here\r\nContent-Type: application/json\r\n"
        b"Content-Length: %d\r\n\r\n" % len(body)
    )
    with ServingProcess(packaged_once / "demo" / "candidate") as process:
        address = urlsplit(process.url)
        place = (str(address.hostname), address.port or 0)
        with socket.create_connection(place, timeout=30) as client:
            client.sendall(head + body[:5])
            # Answered after the bytes above were read: there is one thread that reads.
            assert requests.get(f"{process.url}/ping", timeout=10).status_code == 200
            os.kill(process.pid or 0, signal.SIGTERM)
            _wait_until_refused(place)
            client.sendall(body[5:])
            assert client.recv(65536).startswith(b"HTTP/1.1 200 ")
    assert process.exit_code == 0


STARTER = """
import pathlib, sys, time
from pipeline_steps.serving_process import ServingProcess

with ServingProcess(pathlib.Path(sys.argv[1])) as process:
    print(process.pid, flush=True)
    time.sleep(120)
"""


def test_kill_of_who_started_it_ends_it(packaged_once: Path) -> None:
    model = packaged_once / "demo" / "candidate"
    with subprocess.Popen(
        [sys.executable, "-c", STARTER, model], stdout=subprocess.PIPE, cwd=ROOT
    ) as starter:
        assert starter.stdout
        server = psutil.Process(int(starter.stdout.readline()))
        starter.kill()
    server.wait(30)  # raises where it goes on


SHORT_GRACE = """
import sys

sys.path.insert(0, {folder!r})
import server

server.GRACE_SECONDS = 1
sys.exit(server.main(sys.argv[1:]))
"""
SLOW = """
import pathlib, time
import payload

class Model:
    version = "0123456789ab"

def model_fn(model_dir):
    return Model()

def input_fn(body, content_type):
    return payload.read(body, content_type)

def predict_fn(request, model):
    if len(request.texts) > 1:
        pathlib.Path("asked").touch()
        time.sleep(60)
    return request.answer([{"label": "POSITIVE", "score": 0.75} for _ in request.texts], "v")

def output_fn(answer, accept):
    return payload.write(answer, accept)
"""


def test_prediction_beyond_the_grace_is_told_to_come_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # GIVEN a batch that takes a minute, and a second of grace
    (tmp_path / "code").mkdir()
    (tmp_path / "code" / "inference.py").write_text(SLOW)
    (tmp_path / "short.py").write_text(
        SHORT_GRACE.format(folder=str(serving_process.SERVER.parent))
    )
    monkeypatch.setattr(serving_process, "SERVER", tmp_path / "short.py")
    body = json.dumps({"inputs": ["fine"] * 500}).encode()
    with ServingProcess(tmp_path) as process, concurrent.futures.ThreadPoolExecutor(1) as pool:
        answer = pool.submit(process.invoke, body)
        deadline = time.monotonic() + 30
        while not (tmp_path / "asked").exists():
            assert time.monotonic() < deadline
            time.sleep(0.05)
        # WHEN it is asked to end
        process.stop()
        # THEN the client knows, and nobody has to kill it
        assert answer.result().status_code == 503
        assert "ends" in answer.result().json()["error"]
    assert process.exit_code == 0


def _wait_until_refused(place: tuple[str, int]) -> None:
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        try:
            socket.create_connection(place, timeout=10).close()
        except ConnectionRefusedError:
            return
        time.sleep(0.05)
    raise AssertionError("It still takes connections 30 s after SIGTERM.")
