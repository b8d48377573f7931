"""What a client asks to be predicted, read from the body and held to the contract.

openapi.json tells clients the same rules; tests hold the two together.
"""

import base64
import json
from dataclasses import dataclass
from typing import Any

from problems import Problem, pointer_to

MAX_BODY_BYTES = 1024 * 1024
MAX_TEXTS = 100  # also what one value of a metric may hold
MAX_CHARACTERS = 10_000  # of one text
EXAMPLE = '{"inputs": "text"}'


@dataclass(frozen=True)
class PredictionRequest:
    """The texts in order; `many` where they came as a list and are answered as one."""

    texts: list[str]
    many: bool
    explain: bool


def read(event: dict[str, Any]) -> PredictionRequest:
    """Read an event's body.

    Raises:
        Problem: 400 not JSON, 413 too large, 415 another content type, 422 of another shape.
    """
    content_type = (event.get("headers") or {}).get("content-type", "")
    if content_type.split(";")[0].strip().lower() != "application/json":
        raise Problem(415, "Expected the header Content-Type: application/json.")
    request = _parse(event)
    if not isinstance(request, dict):
        raise _wrong(f"Expected an object such as {EXAMPLE}.")
    for name in request.keys() - {"inputs", "parameters"}:
        raise _wrong("Unknown field. Known: inputs, parameters.", name)
    if "inputs" not in request:
        raise _wrong(f"inputs is missing. Expected {EXAMPLE}.", "inputs")
    inputs = request["inputs"]
    explain = _explain(request.get("parameters", {}))
    if isinstance(inputs, list):
        return PredictionRequest(_texts(inputs), many=True, explain=explain)
    return PredictionRequest([_text(inputs, "inputs")], many=False, explain=explain)


def _parse(event: dict[str, Any]) -> Any:
    body = event.get("body") or ""
    try:
        raw = base64.b64decode(body, validate=True) if event.get("isBase64Encoded") else body
        size = len(raw if isinstance(raw, bytes) else raw.encode())
        if size > MAX_BODY_BYTES:
            raise Problem(413, f"The body has {size} bytes. The limit is {MAX_BODY_BYTES}.")
        return json.loads(raw, parse_constant=_no_json)
    except (ValueError, RecursionError):
        raise Problem(400, f"The body is not JSON. Expected {EXAMPLE}.") from None


def _no_json(name: str) -> None:
    raise ValueError(name)  # NaN and Infinity, which Python would take


def _explain(parameters: Any) -> bool:
    if not isinstance(parameters, dict):
        raise _wrong('Expected an object such as {"explain": true}.', "parameters")
    for name in parameters.keys() - {"explain"}:
        raise _wrong("Unknown parameter. Known: explain.", "parameters", name)
    explain = parameters.get("explain", False)
    if not isinstance(explain, bool):
        raise _wrong("Expected true or false.", "parameters", "explain")
    return explain


def _texts(inputs: list[Any]) -> list[str]:
    if not inputs:
        raise _wrong("The list is empty. Expected at least one text.", "inputs")
    if len(inputs) > MAX_TEXTS:
        detail = f"inputs has {len(inputs)} texts. The limit is {MAX_TEXTS}."
        raise Problem(413, detail, pointer=pointer_to("inputs"))
    return [_text(text, "inputs", position) for position, text in enumerate(inputs)]


def _text(text: Any, *path: str | int) -> str:
    if not isinstance(text, str):
        raise _wrong("Expected a text, or inputs as a list of texts.", *path)
    if not text.strip():
        raise _wrong("The text is empty. Expected at least one word.", *path)
    if any("\ud800" <= char <= "\udfff" for char in text):
        raise _wrong("The text holds a lone surrogate. Expected Unicode.", *path)
    if len(text) > MAX_CHARACTERS:
        detail = f"The text has {len(text)} characters. The limit is {MAX_CHARACTERS}."
        raise Problem(413, detail, pointer=pointer_to(*path))
    return text


def _wrong(detail: str, *path: str | int) -> Problem:
    return Problem(422, detail, pointer=pointer_to(*path))
