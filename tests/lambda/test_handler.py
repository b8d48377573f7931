"""The function behind POST /predict, against a SageMaker runtime on loopback."""

import base64
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import handler
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

ANSWER = {"predictions": [{"label": "POSITIVE", "score": 0.98}], "model_version": "0123456789ab"}


class Runtime(BaseHTTPRequestHandler):
    """Plays the endpoint: answers what the test has set, and keeps what it was asked."""

    status = 200
    answer: Any = ANSWER
    error_code = ""
    asked: list[Any]

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        Runtime.asked.append((self.path, json.loads(body)))
        payload = json.dumps(Runtime.answer).encode()
        self.send_response(Runtime.status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(payload)))
        if Runtime.error_code:
            self.send_header("x-amzn-ErrorType", Runtime.error_code)
        self.end_headers()
        self.wfile.write(payload)

    def log_message(self, *args: Any) -> None:
        """Keep the test's output quiet."""


@pytest.fixture(autouse=True)
def runtime(monkeypatch: pytest.MonkeyPatch) -> Iterator[type[Runtime]]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Runtime)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    Runtime.status, Runtime.answer, Runtime.error_code, Runtime.asked = 200, ANSWER, "", []
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "test")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{server.server_port}")
    monkeypatch.setenv("ENDPOINT_NAME", "the-endpoint")
    handler.runtime.cache_clear()
    yield Runtime
    handler.runtime().close()
    handler.runtime.cache_clear()
    server.shutdown()
    thread.join()
    server.server_close()


def ask(body: str | None, content_type: str = "application/json", **event: Any) -> dict[str, Any]:
    request = {"version": "2.0", "headers": {"content-type": content_type}, "body": body, **event}
    answer = handler.handler(request, None)
    return answer | {"body": json.loads(answer["body"])}


def test_text_is_answered_with_label_and_score(runtime: type[Runtime]) -> None:
    answer = ask('{"inputs": "I absolutely loved this movie!"}')
    assert answer["statusCode"] == 200
    assert answer["body"] == {"label": "POSITIVE", "score": 0.98}
    assert answer["headers"]["X-Model-Version"] == "0123456789ab"
    path, asked = runtime.asked[0]
    assert path == "/endpoints/the-endpoint/invocations"
    assert asked == {"inputs": "I absolutely loved this movie!"}


def test_base64_body_is_read() -> None:
    body = base64.b64encode('{"inputs": "très bien"}'.encode()).decode()
    assert ask(body, isBase64Encoded=True)["statusCode"] == 200


def test_charset_in_content_type_is_fine() -> None:
    assert ask('{"inputs": "fine"}', "application/json; charset=utf-8")["statusCode"] == 200


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ("{", 400),
        ("", 400),
        ("[" * 100_000, 400),
        (None, 400),
        ("[]", 422),
        ("{}", 422),
        ('{"inputs": 3}', 422),
        ('{"inputs": ["a"]}', 422),
        ('{"inputs": "  "}', 422),
        ('{"inputs": "\\ud800"}', 422),
        (json.dumps({"inputs": "x" * 10_001}), 413),
    ],
)
def test_bad_request_is_a_problem(runtime: type[Runtime], body: str | None, status: int) -> None:
    answer = ask(body)
    assert answer["statusCode"] == answer["body"]["status"] == status
    assert answer["headers"]["Content-Type"] == "application/problem+json"
    assert set(answer["body"]) == {"type", "title", "status", "detail"}
    assert runtime.asked == []


def test_other_content_type_is_refused() -> None:
    assert ask('{"inputs": "fine"}', "text/plain")["statusCode"] == 415
    assert ask('{"inputs": "fine"}', "")["statusCode"] == 415


def test_body_that_is_not_base64_is_refused() -> None:
    assert ask("%%%", isBase64Encoded=True)["statusCode"] == 400


@pytest.mark.parametrize(
    ("status", "code", "expected"),
    [
        (429, "ThrottlingException", 429),
        (400, "ValidationError", 503),
        (503, "ServiceUnavailable", 503),
        (424, "ModelError", 502),
        (403, "AccessDeniedException", 502),
    ],
)
def test_endpoint_error_hides_its_cause(
    runtime: type[Runtime], status: int, code: str, expected: int
) -> None:
    runtime.status, runtime.error_code = status, code
    runtime.answer = {"message": "arn:aws:sagemaker:us-east-1:123456789012:endpoint/the-endpoint"}
    answer = ask('{"inputs": "fine"}')
    assert answer["statusCode"] == expected
    assert "arn:" not in json.dumps(answer)
    assert "123456789012" not in json.dumps(answer)


def test_silent_endpoint_is_a_timeout(monkeypatch: pytest.MonkeyPatch) -> None:
    # A port that nobody listens on: the connection is refused at once
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    handler.runtime.cache_clear()
    assert ask('{"inputs": "fine"}')["statusCode"] == 504


def test_logs_never_hold_the_text(capsys: pytest.CaptureFixture[str]) -> None:
    ask('{"inputs": "my secret diary"}')
    ask('{"inputs": ["my secret diary"]}')
    ask('"my secret diary"')
    assert "secret" not in capsys.readouterr().out


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(
    body=st.text() | st.recursive(st.none() | st.text() | st.integers(), st.lists).map(json.dumps)
)
def test_no_body_breaks_the_function(body: str) -> None:
    assert ask(body)["statusCode"] in (200, 400, 413, 422)
