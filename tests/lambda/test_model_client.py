"""The endpoint's errors become the client's statuses, within the time that is left."""

import json
import os
import random
import time
from typing import Any

import boto3
import model_client
import pytest
from botocore.config import Config

from tests.function_calls import ANSWER, Runtime, ask

LONG_AGO = 1.0  # seconds left: too few for another try


@pytest.fixture(autouse=True)
def pauses(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The pauses that were made, which take no time here."""
    made: list[float] = []
    monkeypatch.setattr(time, "sleep", made.append)
    return made


@pytest.mark.parametrize(
    ("status", "code", "expected"),
    [
        (429, "ThrottlingException", 429),
        (400, "ValidationError", 503),
        (429, "ModelNotReadyException", 503),
        (503, "ServiceUnavailable", 503),
        (424, "ModelError", 502),
        (500, "InternalFailure", 502),
        (403, "AccessDeniedException", 502),
    ],
)
def test_endpoint_error_hides_its_cause(
    runtime: type[Runtime], status: int, code: str, expected: int
) -> None:
    runtime.errors = [(status, code)] * 5
    runtime.answer = {"message": "arn:aws:sagemaker:us-east-1:123456789012:endpoint/the-endpoint"}
    answer = ask({"inputs": "fine"}, seconds_left=LONG_AGO)
    assert answer["statusCode"] == expected
    assert "arn:" not in json.dumps(answer)
    assert "123456789012" not in json.dumps(answer)


@pytest.mark.parametrize(
    ("code", "after"), [("ThrottlingException", "1"), ("ValidationError", "5")]
)
def test_client_is_told_when_to_come_back(runtime: type[Runtime], code: str, after: str) -> None:
    runtime.errors = [(400, code)] * 5
    assert ask({"inputs": "fine"})["headers"]["Retry-After"] == after


@pytest.mark.parametrize("code", sorted(model_client.PASSING))
def test_what_passes_is_tried_again(runtime: type[Runtime], pauses: list[float], code: str) -> None:
    runtime.errors = [(429, code)] * 2
    assert ask({"inputs": "fine"})["statusCode"] == 200
    assert len(runtime.asked) == 3
    assert all(0 <= pause <= 0.4 for pause in pauses)


def test_tries_are_few(runtime: type[Runtime], pauses: list[float]) -> None:
    runtime.errors = [(429, "ThrottlingException")] * 9
    assert ask({"inputs": "fine"})["statusCode"] == 429
    assert len(runtime.asked) == model_client.TRIES
    assert len(pauses) == model_client.TRIES - 1


def test_pauses_differ(
    runtime: type[Runtime], pauses: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(random, "uniform", lambda low, high: high)
    runtime.errors = [(429, "ThrottlingException")] * 9
    ask({"inputs": "fine"})
    assert pauses == [0.2, 0.4]


def test_no_try_begins_that_cannot_end_in_time(runtime: type[Runtime], pauses: list[float]) -> None:
    runtime.errors = [(429, "ThrottlingException")] * 9
    assert ask({"inputs": "fine"}, seconds_left=25.4)["statusCode"] == 429
    assert (len(runtime.asked), pauses) == (1, [])


def test_a_try_fits_into_its_time() -> None:
    timeouts = model_client.CONFIG.connect_timeout + model_client.CONFIG.read_timeout
    assert timeouts < model_client.TRY_SECONDS < 29  # the function's own limit


def test_model_error_is_not_asked_for_twice(runtime: type[Runtime]) -> None:
    runtime.errors = [(424, "ModelError")]
    assert ask({"inputs": "fine"})["statusCode"] == 502
    assert len(runtime.asked) == 1


def test_full_container_is_asked_again_and_then_told_as_busy(
    runtime: type[Runtime], pauses: list[float]
) -> None:
    # GIVEN an instance whose container answers 503, which SageMaker wraps into its own 424
    runtime.errors = [(424, "ModelError")] * 4
    runtime.answer = {"OriginalStatusCode": 503, "OriginalMessage": "busy", "Message": "Received"}
    answer = ask({"inputs": "fine"})
    assert (answer["statusCode"], answer["headers"]["Retry-After"]) == (503, "5")
    assert len(runtime.asked) == model_client.TRIES
    assert len(pauses) == model_client.TRIES - 1


def test_silent_endpoint_is_a_timeout(
    runtime: type[Runtime], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(model_client, "CONFIG", model_client.CONFIG.merge(Config(read_timeout=0.2)))
    model_client.runtime.cache_clear()
    runtime.silence = 1
    answer = ask({"inputs": "fine"})
    assert answer["statusCode"] == 504
    assert "did not answer in time" in answer["body"]["detail"]
    assert len(runtime.asked) == 1


def test_endpoint_that_is_not_there_is_a_timeout(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    model_client.runtime.cache_clear()
    assert ask({"inputs": "fine"})["statusCode"] == 504


def test_function_without_credentials_is_no_timeout(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", os.devnull)
    monkeypatch.setattr(boto3, "DEFAULT_SESSION", None)
    model_client.runtime.cache_clear()
    assert ask({"inputs": "fine"})["statusCode"] == 502
    assert json.loads(capsys.readouterr().out)["cause"] == "NoCredentialsError"


@pytest.mark.parametrize(
    "answer",
    [
        [],
        "my secret diary",
        {"predictions": [], "model_version": "a"},
        {"predictions": ANSWER["predictions"] * 2, "model_version": "a"},
        {"predictions": [{"label": "POSITIVE"}], "model_version": "a"},
        {"predictions": [{"label": "POSITIVE", "score": "0.9"}], "model_version": "a"},
        {"predictions": [{"label": "POSITIVE", "score": float("nan")}], "model_version": "a"},
        {"predictions": [{"label": "POSITIVE", "score": 0.9}]},
        {"predictions": ["my secret diary"], "model_version": "a"},
    ],
)
def test_unreadable_answer_is_a_model_error(
    runtime: type[Runtime], capsys: pytest.CaptureFixture[str], answer: Any
) -> None:
    runtime.answer = answer
    told = ask({"inputs": "my secret diary"})
    assert told["statusCode"] == 502
    said = capsys.readouterr().out
    assert json.loads(said)["cause"] == "UnreadableAnswer"
    assert "secret" not in said + json.dumps(told)


@pytest.mark.parametrize(
    "explanation",
    [None, "words", [{"text": "a"}], [{"text": 1, "start": 0, "end": 1, "gate": 0.5}]],
)
def test_missing_explanation_is_a_model_error(runtime: type[Runtime], explanation: Any) -> None:
    prediction = ANSWER["predictions"][0] | ({"explanation": explanation} if explanation else {})
    runtime.answer = ANSWER | {"predictions": [prediction]}
    assert ask({"inputs": "a", "parameters": {"explain": True}})["statusCode"] == 502
