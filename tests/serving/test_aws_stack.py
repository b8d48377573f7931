"""The flavour `pytorch` in AWS's genuine stack: Multi Model Server and the Hugging Face toolkit."""

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

from bench.aws_stack import ENVIRONMENT as STACK
from bench.aws_stack import AwsStack, missing
from pipeline_steps.serving_image import AWS_IMAGE, ENVIRONMENT
from pipeline_steps.serving_process import ServingProcess

TEXTS = ["fine", "a film that goes on and on , and then goes on some more", "not good", "日本 ☃"]


@pytest.fixture(scope="module")
def stack(candidates: dict[str, Path], request: pytest.FixtureRequest) -> Iterator[AwsStack]:
    """The stack, set up as an endpoint sets it up, after its first answer."""
    if reason := missing():
        required = request.config.getoption("--require-java")
        (pytest.fail if required else pytest.skip)(f"AWS's serving stack {reason}")
    with AwsStack(candidates["pytorch"], ENVIRONMENT["pytorch"]) as running:
        assert running.first_answer(body("fine")).status_code == 200, running.log()
        yield running


def body(inputs: Any, **others: Any) -> bytes:
    return json.dumps({"inputs": inputs, **others}).encode()


def test_stack_has_the_transformers_of_the_image(stack: AwsStack) -> None:
    program = "import transformers; print(transformers.__version__)"
    command = [str(STACK / "bin" / "python"), "-c", program]
    run = subprocess.run(command, capture_output=True, text=True, check=True)
    assert f"transformers{run.stdout.strip()}-" in AWS_IMAGE


@pytest.mark.parametrize("parameters", [{}, {"explain": True}], ids=["labels", "explanation"])
def test_answers_are_those_of_our_own_server(
    stack: AwsStack, candidates: dict[str, Path], parameters: dict[str, Any]
) -> None:
    with ServingProcess(candidates["pytorch"]) as server:
        ours = server.invoke(body(TEXTS, parameters=parameters)).json()
    theirs = stack.invoke(body(TEXTS, parameters=parameters)).json()
    assert rounded(theirs) == rounded(ours)
    assert ("explanation" in theirs["predictions"][0]) == bool(parameters)


def rounded(value: Any) -> Any:
    """The same, with numbers as precise as both compute them."""
    if isinstance(value, float):
        return pytest.approx(value, abs=1e-5)
    if isinstance(value, list):
        return [rounded(each) for each in value]
    return (
        {name: rounded(each) for name, each in value.items()} if isinstance(value, dict) else value
    )


@pytest.mark.parametrize(
    ("request_body", "reason"),
    [
        (b"{", "The body is not JSON"),
        (body(["a private matter", 3]), "Text 1 is no text"),
        (body("a private matter", other=1), "Unknown key 'other'"),
        (body(["a private matter"] * 1001), "Got 1001 texts, the limit is 1000."),
    ],
    ids=["not JSON", "not a text", "unknown key", "too many texts"],
)
def test_refusal_says_why_and_nothing_of_the_text(
    stack: AwsStack, request_body: bytes, reason: str
) -> None:
    # Of what a handler raises the toolkit makes a 400, whatever the status that was meant.
    answer = stack.invoke(request_body)
    assert answer.status_code == 400
    assert reason in answer.json()["message"]
    assert "Traceback" not in answer.text
    assert "private" not in answer.text + stack.log()


def test_lines_are_answered_in_the_format_that_is_accepted(stack: AwsStack) -> None:
    answer = requests.post(
        f"{stack.url}/invocations",
        data=b'"fine"\n{"inputs": 3}\n',
        headers={"Content-Type": "application/jsonlines", "Accept": "application/jsonlines"},
        timeout=60,
    )
    first, second = (json.loads(line) for line in answer.text.splitlines())
    assert "label" in first
    assert "is no text" in second["error"]


def test_lines_are_answered_in_json_unless_lines_are_accepted(stack: AwsStack) -> None:
    answer = requests.post(
        f"{stack.url}/invocations",
        data=b'"fine"\n"dull"\n',
        headers={"Content-Type": "application/jsonlines", "Accept": "*/*"},
        timeout=60,
    )
    assert answer.headers["Content-Type"] == "application/json"
    assert len(answer.json()["predictions"]) == 2
