"""POST /predict: from API Gateway (payload format 2.0) to the SageMaker endpoint and back.

{"inputs": "I absolutely loved this movie!"} is answered {"label": "POSITIVE", "score": 0.98}, with
the model's version in the header X-Model-Version. Errors are problem JSON (RFC 9457). Texts are
never logged.
"""

import base64
import json
import os
from functools import cache
from typing import Any

import boto3
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
    """A request that cannot be answered, with its HTTP status and what to tell the client."""

    def __init__(self, status: int, detail: str) -> None:
        super().__init__(detail)
        self.status = status


@cache
def runtime() -> Any:
    """The client of SageMaker's data plane, one for all requests of this environment."""
    return boto3.client("sagemaker-runtime", config=CONFIG)


def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Answer one HTTP request; the entry point that AWS Lambda calls."""
    try:
        return _predict(_text_of(event))
    except Problem as problem:
        # Length and status say enough to debug; the text is the client's own business.
        size = len(event.get("body") or "")
        print(json.dumps({"status": problem.status, "detail": str(problem), "body_bytes": size}))
        return _response(
            problem.status,
            {
                "type": "about:blank",
                "title": TITLES[problem.status],
                "status": problem.status,
                "detail": str(problem),
            },
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


def _predict(text: str) -> dict[str, Any]:
    try:
        answer = runtime().invoke_endpoint(
            EndpointName=os.environ["ENDPOINT_NAME"],
            ContentType="application/json",
            Accept="application/json",
            Body=json.dumps({"inputs": text}),
        )
        result = json.load(answer["Body"])
    except ClientError as error:
        status = STATUS_OF_CODE.get(error.response["Error"]["Code"], 502)
        print(json.dumps({"invoke_endpoint": error.response["Error"]["Code"]}))
        raise Problem(status, "The model cannot answer now. Try again in a moment.") from error
    except BotoCoreError as error:
        print(json.dumps({"invoke_endpoint": type(error).__name__}))
        raise Problem(504, "The model did not answer in time. Try again in a moment.") from error
    prediction = result["predictions"][0]
    return _response(
        200,
        {"label": prediction["label"], "score": prediction["score"]},
        {"Content-Type": "application/json", "X-Model-Version": result["model_version"]},
    )


def _response(status: int, body: dict[str, Any], headers: dict[str, str]) -> dict[str, Any]:
    return {"statusCode": status, "headers": headers, "body": json.dumps(body)}
