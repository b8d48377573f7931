"""The function as its tests call it: requests as API Gateway hands them over, and an endpoint."""

import json
import threading
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import handler

EVENTS = Path(__file__).parent / "events"
REQUEST_ID = "3f1c0e58-6a5f-4c1f-9c57-0a9f4f3c7d11"
PREDICTION = {"label": "POSITIVE", "score": 0.98, "tokens": 8, "unknown_tokens": 2}
ANSWER = {"predictions": [PREDICTION], "model_version": "0123456789ab"}


class Runtime(BaseHTTPRequestHandler):
    """Plays the endpoint: answers what the test has set, and keeps what it was asked.

    `errors` are answered first, one a request: status and code. With `silence`, in seconds, it
    says nothing for that time, and then closes.
    """

    answer: Any = ANSWER
    silence: float = 0
    errors: list[tuple[int, str]]
    asked: list[Any]

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        Runtime.asked.append((self.path, json.loads(body)))
        if Runtime.silence:
            threading.Event().wait(Runtime.silence)  # the tests patch time.sleep
            return
        status, code = Runtime.errors.pop(0) if Runtime.errors else (200, "")
        payload = json.dumps(Runtime.answer).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(payload)))
        if code:
            self.send_header("x-amzn-ErrorType", code)
        self.end_headers()
        self.wfile.write(payload)

    def log_message(self, *args: Any) -> None:
        """Keep the test's output quiet."""


def event(name: str) -> dict[str, Any]:
    """A captured event."""
    loaded: dict[str, Any] = json.loads((EVENTS / f"{name}.json").read_text(encoding="utf-8"))
    return loaded


def send(request: dict[str, Any], seconds_left: float = 29) -> dict[str, Any]:
    """What the function answers to an event; JSON bodies are parsed."""
    context = SimpleNamespace(
        aws_request_id=REQUEST_ID, get_remaining_time_in_millis=lambda: seconds_left * 1000
    )
    answer = handler.handler(request, context)
    kind = answer["headers"]["Content-Type"]
    return answer | {"body": json.loads(answer["body"])} if kind.endswith("json") else answer


def ask(
    body: Any, content_type: str = "application/json", seconds_left: float = 29, **more: Any
) -> dict[str, Any]:
    """What the function answers to POST /predict; a body that is no text is sent as JSON."""
    request = event("predict")
    request["headers"]["content-type"] = content_type
    request["body"] = body if isinstance(body, str | None) else json.dumps(body)
    return send(request | more, seconds_left)


def get(path: str, method: str = "GET", **query: str) -> dict[str, Any]:
    """What the function answers to a request without a body, by the route that is meant for it."""
    request = event("page") | {"rawPath": path, "routeKey": f"{method} {path}"}
    request["requestContext"]["http"] |= {"method": method, "path": path}
    return send(request | ({"queryStringParameters": query} if query else {}))
