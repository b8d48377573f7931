"""POST /predict: from API Gateway (payload format 2.0) to the SageMaker endpoint and back.

{"inputs": "I absolutely loved this movie!"} is answered {"label": "POSITIVE", "score": 0.98}, with
the model's version in the header X-Model-Version. Errors are problem JSON (RFC 9457). Each request
is one line of the log, as metrics.py writes it; texts are never logged.
"""

import base64
import json
import os
import time
from functools import cache
from typing import Any

import boto3
import metrics
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

MAX_CHARACTERS = 10_000
# API Gateway gives up after 30 s: two tries of 12 s leave time to say so.
CONFIG = Config(
    retries={"mode": "standard", "total_max_attempts": 2}, connect_timeout=2, read_timeout=12
)
STATUS_OF_CODE = {"ThrottlingException": 429, "ServiceUnavailable": 503, "ValidationError": 503}
TITLES = {
    400: "Bad Request",
    413: "Content Too Large",
    415: "Unsupported Media Type",
    422: "Unprocessable Content",
    429: "Too Many Requests",
    502: "Bad Gateway",
    503: "Service Unavailable",
    504: "Gateway Timeout",
}


class Problem(Exception):  # noqa: N818 - RFC 9457's own word
    """A request that cannot be answered: its HTTP status, what to tell the client, and the cause.

    `cause` is for the log only: an error's code or type, never its message.
    """

    def __init__(self, status: int, detail: str, cause: str | None = None) -> None:
        super().__init__(detail)
        self.status, self.cause = status, cause


@cache
def runtime() -> Any:
    """The client of SageMaker's data plane, one for all requests of this environment."""
    return boto3.client("sagemaker-runtime", config=CONFIG)


def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Answer one HTTP request; the entry point that AWS Lambda calls."""
    # Length and status say enough to debug; the text is the client's own business.
    known = {"request_id": context.aws_request_id, "body_bytes": len(event.get("body") or "")}
    try:
        return _predict(_text_of(event), known)
    except Problem as problem:
        status, detail = problem.status, str(problem)
        known |= {"status": status, "detail": detail, "cause": problem.cause}
        metrics.write(metrics.of_problem(status), known)
        title = TITLES[status]
        return _response(
            status,
            {"type": "about:blank", "title": title, "status": status, "detail": detail},
            {"Content-Type": "application/problem+json"},
        )


def _text_of(event: dict[str, Any]) -> str:
    content_type = event.get("headers", {}).get("content-type", "")
    if content_type.split(";")[0].strip().lower() != "application/json":
        raise Problem(415, "Expected the header Content-Type: application/json.")
    try:
        body = event.get("body") or ""
        request = json.loads(base64.b64decode(body) if event.get("isBase64Encoded") else body)
    except (ValueError, RecursionError):
        raise Problem(400, 'The body is not JSON. Expected {"inputs": "text"}.') from None
    text = request.get("inputs") if isinstance(request, dict) else None
    if not isinstance(text, str):
        raise Problem(422, 'Expected an object with a text: {"inputs": "text"}.')
    if not text.strip():
        raise Problem(422, "inputs is empty. Expected at least one word.")
    if any("\ud800" <= char <= "\udfff" for char in text):
        raise Problem(422, "inputs holds a lone surrogate. Expected Unicode text.")
    if len(text) > MAX_CHARACTERS:
        raise Problem(413, f"inputs has {len(text)} characters. The limit is {MAX_CHARACTERS}.")
    return text


def _predict(text: str, known: dict[str, Any]) -> dict[str, Any]:
    began = time.perf_counter()
    version, prediction = _ask_model(text)
    measured = metrics.of_answer(len(text), prediction, (time.perf_counter() - began) * 1e3)
    label, score = prediction["label"], prediction["score"]
    metrics.write(measured, known | {"status": 200, "label": label, "model_version": version})
    headers = {"Content-Type": "application/json", "X-Model-Version": version}
    return _response(200, {"label": label, "score": score}, headers)


def _ask_model(text: str) -> tuple[str, dict[str, Any]]:
    """The model's version and its prediction: label, score, and perhaps counts of tokens."""
    try:
        answer = runtime().invoke_endpoint(
            EndpointName=os.environ["ENDPOINT_NAME"],
            ContentType="application/json",
            Accept="application/json",
            Body=json.dumps({"inputs": text}),
        )
        body = answer["Body"].read()
    except ClientError as error:
        code = error.response["Error"]["Code"]
        sorry = "The model cannot answer now. Try again in a moment."
        raise Problem(STATUS_OF_CODE.get(code, 502), sorry, code) from error
    except BotoCoreError as error:
        sorry = "The model did not answer in time. Try again in a moment."
        raise Problem(504, sorry, type(error).__name__) from error
    return _read(body)


def _read(body: bytes) -> tuple[str, dict[str, Any]]:
    try:
        result = json.loads(body)
        prediction = result["predictions"][0]
        label, score = prediction["label"], prediction["score"]
        if isinstance(label, str) and isinstance(score, int | float) and 0 <= score <= 1:
            return str(result["model_version"]), prediction
    except (ValueError, LookupError, TypeError):
        pass  # not of the shape that serving/inference.py promises
    # What it is instead may hold the text, so it is told nowhere.
    raise Problem(502, "The model's answer is not readable.", "UnreadableAnswer")


def _response(status: int, body: dict[str, Any], headers: dict[str, str]) -> dict[str, Any]:
    return {"statusCode": status, "headers": headers, "body": json.dumps(body)}
