"""The uploaded zip under AWS's own runtime client, on events as API Gateway has been seen to send.

The client (`awslambdaric`) is what a real function runs under. `aws-lambda-rie` is AWS's emulator
of what is around it, which cuts a function off at its timeout and reports what a start took.
"""

import json
import os
import re
import subprocess
import sys
import time
import zipfile
from collections.abc import Callable, Iterator
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
import requests

from pipeline_steps.create_api import zip_function
from pipeline_steps.http_api import FUNCTION_MB
from tests.api.conftest import LiveApi
from tests.conftest import find_free_port
from tests.function_calls import EVENTS, event
from tests.pipeline_steps.released import zip_of

EMULATOR = Path(__file__).parents[2] / "build" / "emulator" / "aws-lambda-rie"
EXPECTED = {
    "health_deep": 200, "not_found": 404, "page": 200, "predict": 200, "predict_base64": 200,
    "predict_curl_form": 415, "predict_in_stage": 200, "predict_missing_body": 400,
    "predict_multi_value_headers": 200, "predict_two_content_types": 415, "predict_with_jwt": 200,
}  # fmt: skip
SLOW = "import time\ndef handler(event, context):\n    time.sleep(60)\n"


def test_each_captured_event_is_expected_here() -> None:
    assert {path.stem for path in EVENTS.glob("*.json")} == set(EXPECTED)


@pytest.mark.parametrize("name", sorted(EXPECTED))
def test_live_function_answers_captured_event(live: LiveApi, name: str) -> None:
    answer = live.clients.lambda_.invoke(
        FunctionName=live.settings.resource_name, Qualifier="live", Payload=json.dumps(event(name))
    )
    result = json.loads(answer["Payload"].read())
    assert "FunctionError" not in answer, result
    check(result, EXPECTED[name])


def check(result: dict[str, Any], status: int) -> None:
    """A result is what API Gateway takes, and says what it should."""
    assert result["statusCode"] == status, result
    assert isinstance(result["body"], str)
    assert all(isinstance(value, str) for value in result["headers"].values())
    kind = result["headers"]["Content-Type"]
    if status >= 400:
        assert json.loads(result["body"])["status"] == status
        assert kind == "application/problem+json"
    elif kind == "application/json" and "deep" not in result["body"]:
        assert json.loads(result["body"])["label"] in ("POSITIVE", "NEGATIVE")


class Emulator:
    """A function under AWS's emulator, on loopback."""

    def __init__(self, folder: Path, package: bytes, variables: dict[str, str]) -> None:
        with zipfile.ZipFile(BytesIO(package)) as archive:
            archive.extractall(folder)
        self._log = folder.with_suffix(".log")
        self.url, runtime = (f"127.0.0.1:{find_free_port()}" for _ in range(2))
        addresses = ["--runtime-interface-emulator-address", self.url]
        addresses += ["--runtime-api-address", runtime]
        function = [sys.executable, "-m", "awslambdaric", "handler.handler"]
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                [str(EMULATOR), *addresses, *function],
                cwd=folder,
                env={"PATH": os.environ["PATH"], "AWS_LAMBDA_FUNCTION_NAME": "function"}
                | variables,
                stdout=log,
                stderr=log,
            )

    def call(self, payload: Any) -> Any:
        """The function's result for an event; waits until the emulator listens."""
        url = f"http://{self.url}/2015-03-31/functions/function/invocations"
        for _ in range(200):
            try:
                answer = requests.post(url, json=payload, timeout=90)
            except requests.ConnectionError:
                assert self._process.poll() is None, self.log()
                time.sleep(0.05)
                continue
            return answer.json() if answer.text.startswith("{") else answer.text
        raise AssertionError(f"The emulator does not listen: {self.log()}")

    def log(self) -> str:
        """All that the emulator and the function have said."""
        return self._log.read_text(encoding="utf-8", errors="replace")

    def stop(self) -> None:
        """End it, and the function with it."""
        self._process.terminate()
        self._process.wait(20)


@pytest.fixture
def emulate(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Callable[..., Emulator]]:
    """Starts the emulator on a zip; skipped without it, or failed under `--require-emulator`."""
    if not EMULATOR.is_file():
        reason = "needs AWS's aws-lambda-rie: `make emulator` gets it, for Linux on x86_64"
        (pytest.fail if request.config.getoption("--require-emulator") else pytest.skip)(reason)
    started: list[Emulator] = []

    def start(package: bytes, **variables: str) -> Emulator:
        started.append(Emulator(tmp_path / f"function-{len(started)}", package, variables))
        return started[-1]

    yield start
    for emulator in started:
        emulator.stop()


def test_emulator_runs_our_function(live: LiveApi, emulate: Callable[..., Emulator]) -> None:
    # GIVEN the function with the variables and the memory that it was released with
    name = live.settings.resource_name
    released = live.clients.lambda_.get_function_configuration(FunctionName=name)
    variables = live.environment | released["Environment"]["Variables"]
    memory = {"AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(FUNCTION_MB)}
    function = emulate(zip_function(), **variables, **memory)
    # WHEN it gets each event THEN the answers are those of the live API
    for name, status in EXPECTED.items():
        check(function.call(event(name)), status)
    # AND the emulator reports one start, and the memory that was asked for
    log = function.log()
    print(log)  # what a start took: `pytest -rP` shows it
    assert len(re.findall(r"Init Duration: [\d.]+ ms", log)) == 1, log
    assert f"Memory Size: {FUNCTION_MB} MB" in log


def test_emulator_ends_function_at_its_timeout(emulate: Callable[..., Emulator]) -> None:
    function = emulate(zip_of(SLOW), AWS_LAMBDA_FUNCTION_TIMEOUT="1")
    assert "Task timed out after 1.00 seconds" in function.call({})
