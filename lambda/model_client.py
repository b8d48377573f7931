"""Asks the SageMaker endpoint, within the time that is left of the request."""

import json
import os
import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from http import HTTPStatus
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError, HTTPClientError
from botocore.exceptions import ConnectionError as NotConnectedError
from problems import Problem
from request_body import PredictionRequest

# API Gateway gives up after 30 s, and Lambda ends the function after 29: whatever can still be
# tried must leave time to say how it went. Retries are ours, as botocore's know no deadline. The
# last two spare a tenth of the function's work: an agent of ours is not put together twice a
# request, and that the parameters are right the tests say.
CONFIG = Config(
    retries={"total_max_attempts": 1},
    connect_timeout=1,
    read_timeout=24,
    user_agent="t5-sentiment",
    parameter_validation=False,
)
TRY_SECONDS = 25.5  # that a try may take in the end, with half a second for the answer
TRIES = 3
PAUSE_SECONDS = 0.2  # before the second try, at most; twice that before the third
PASSING = {"ThrottlingException", "ServiceUnavailable", "InternalFailure"}
STATUS_OF_CODE = {
    "ThrottlingException": 429,
    "ServiceUnavailable": 503,
    "ModelNotReadyException": 503,
    "ValidationError": 503,  # no endpoint of the name is in service: it is being made
}
RETRY_AFTER_SECONDS = {429: "1", 503: "5"}


@dataclass(frozen=True)
class Answer:
    """The model's version and a prediction for each text, in order."""

    version: str
    predictions: list[dict[str, Any]]


@cache
def runtime() -> Any:
    """The client of SageMaker's data plane, one for all requests of this environment."""
    return boto3.client("sagemaker-runtime", config=CONFIG)


def ask(request: PredictionRequest, seconds_left: Callable[[], float]) -> Answer:
    """Ask the model; what will pass is tried again, with a pause that differs for each client.

    Raises:
        Problem: 429 throttled, 502 a model error, 503 not in service, 504 too slow.
    """
    inputs = request.texts if request.many else request.texts[0]
    asked: dict[str, Any] = {"inputs": inputs}
    if request.explain:
        asked["parameters"] = {"explain": True}
    payload = json.dumps(asked, ensure_ascii=False).encode()
    for attempt in range(TRIES):
        try:
            return _read(_invoke(payload), request)
        except ClientError as error:
            code = _code(error)
            pause = random.uniform(0, PAUSE_SECONDS * 2**attempt)  # noqa: S311 - no secret
            is_last = attempt == TRIES - 1 or seconds_left() - pause < TRY_SECONDS
            if code not in PASSING or is_last:
                raise _problem(code) from error
            time.sleep(pause)
        except (HTTPClientError, NotConnectedError) as error:
            sorry = "The model did not answer in time. Try again in a moment."
            raise Problem(504, sorry, type(error).__name__) from error
        except BotoCoreError as error:  # no credentials, and the like
            raise Problem(502, "The model cannot be asked.", type(error).__name__) from error
    raise AssertionError("the last try returns or raises")


def _invoke(payload: bytes) -> bytes:
    answer = runtime().invoke_endpoint(
        EndpointName=os.environ["ENDPOINT_NAME"],
        ContentType="application/json",
        Accept="application/json",
        Body=payload,
    )
    body: bytes = answer["Body"].read()
    return body


def _code(error: ClientError) -> str:
    """AWS's code, but where the container itself has answered 503, as a full one does."""
    is_full = error.response.get("OriginalStatusCode") == HTTPStatus.SERVICE_UNAVAILABLE
    code: str = "ServiceUnavailable" if is_full else error.response["Error"]["Code"]
    return code


def _problem(code: str) -> Problem:
    status = STATUS_OF_CODE.get(code, 502)
    sorry = "The model cannot answer now. Try again in a moment."
    after = RETRY_AFTER_SECONDS.get(status)
    return Problem(status, sorry, code, headers={"Retry-After": after} if after else None)


def _read(body: bytes, request: PredictionRequest) -> Answer:
    try:
        result = json.loads(body)
        predictions = result["predictions"]
        if len(predictions) == len(request.texts) and all(
            _is_whole(prediction, request.explain) for prediction in predictions
        ):
            return Answer(str(result["model_version"]), predictions)
    except (ValueError, LookupError, TypeError):
        pass  # not of the shape that the container promises
    # What it is instead may hold the text, so it is told nowhere.
    raise Problem(502, "The model's answer is not readable.", "UnreadableAnswer")


def _is_whole(prediction: dict[str, Any], explain: bool) -> bool:
    label, score = prediction["label"], prediction["score"]
    judged = isinstance(label, str) and isinstance(score, int | float) and 0 <= score <= 1
    return judged and (not explain or all(_is_token(token) for token in prediction["explanation"]))


def _is_token(token: dict[str, Any]) -> bool:
    return isinstance(token["text"], str) and token["start"] <= token["end"] and token["gate"] >= 0
