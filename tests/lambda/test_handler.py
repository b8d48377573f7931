"""The function behind POST /predict, against a SageMaker runtime on loopback."""

import base64
import json
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import SimpleNamespace
from typing import Any

import handler
import jsonschema
import metrics
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

PREDICTION = {"label": "POSITIVE", "score": 0.98, "tokens": 8, "unknown_tokens": 2}
ANSWER = {"predictions": [PREDICTION], "model_version": "0123456789ab"}
CONTEXT = SimpleNamespace(aws_request_id="3f1c0e58-6a5f-4c1f-9c57-0a9f4f3c7d11")
# https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html
NAME = {"type": "string", "minLength": 1, "maxLength": 1024}
METRIC = {
    "type": "object",
    "required": ["Name"],
    "additionalProperties": False,
    "properties": {
        "Name": NAME,
        "Unit": {"enum": ["Count", "Milliseconds", "None"]},
        "StorageResolution": {"enum": [1, 60]},
    },
}
DIRECTIVE = {
    "type": "object",
    "required": ["Namespace", "Dimensions", "Metrics"],
    "additionalProperties": False,
    "properties": {
        "Namespace": NAME,
        "Dimensions": {
            "type": "array",
            "minItems": 1,
            "items": {
                "type": "array",
                "items": {"type": "string", "maxLength": 250},
                "maxItems": 30,
            },
        },
        "Metrics": {"type": "array", "items": METRIC, "minItems": 1, "maxItems": 100},
    },
}
EMF = {
    "type": "object",
    "required": ["_aws"],
    "properties": {
        "_aws": {
            "type": "object",
            "required": ["Timestamp", "CloudWatchMetrics"],
            "additionalProperties": False,
            "properties": {
                "Timestamp": {"type": "integer"},
                "CloudWatchMetrics": {"type": "array", "items": DIRECTIVE, "minItems": 1},
            },
        }
    },
}


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
    monkeypatch.setenv("AWS_LAMBDA_FUNCTION_NAME", "the-function")
    handler.runtime.cache_clear()
    yield Runtime
    handler.runtime().close()
    handler.runtime.cache_clear()
    server.shutdown()
    thread.join()
    server.server_close()


def ask(body: str | None, content_type: str = "application/json", **event: Any) -> dict[str, Any]:
    request = {"version": "2.0", "headers": {"content-type": content_type}, "body": body, **event}
    answer = handler.handler(request, CONTEXT)
    return answer | {"body": json.loads(answer["body"])}


def line_of(capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
    """The one line that was logged, held against the specification."""
    (text,) = capsys.readouterr().out.splitlines()
    line: dict[str, Any] = json.loads(text)
    jsonschema.validate(line, EMF)
    (directive,) = line["_aws"]["CloudWatchMetrics"]
    for metric in directive["Metrics"]:
        value = line[metric["Name"]]
        assert isinstance(value, int | float)
        assert not isinstance(value, bool)
    for name in (name for dimensions in directive["Dimensions"] for name in dimensions):
        assert 1 <= len(line[name]) <= 1024
    return line


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


def test_answer_is_one_line_of_metrics(capsys: pytest.CaptureFixture[str]) -> None:
    before = time.time() * 1000
    ask('{"inputs": "I absolutely loved this movie!"}')
    line = line_of(capsys)
    measured = {name: line.get(name) for name in metrics.UNITS if name in line}
    assert 0 < measured.pop("ModelLatency") < 10_000
    assert measured == {
        "Positive": 1, "Negative": 0, "Score": 0.98, "Characters": 30, "UnknownTokenShare": 0.25,
    }  # fmt: skip
    assert line["FunctionName"] == "the-function"
    assert line["_aws"]["CloudWatchMetrics"][0]["Namespace"] == "T5Sentiment"
    assert line["_aws"]["CloudWatchMetrics"][0]["Dimensions"] == [["FunctionName"]]
    assert abs(line["_aws"]["Timestamp"] - before) < 60_000
    assert (line["status"], line["label"]) == (200, "POSITIVE")
    assert line["model_version"] == "0123456789ab"
    assert line["request_id"] == CONTEXT.aws_request_id


@pytest.mark.parametrize(
    "counts",
    [{}, {"tokens": 0, "unknown_tokens": 0}, {"tokens": 5}, {"tokens": "5", "unknown_tokens": "0"}],
)
def test_uncounted_tokens_are_left_out(
    runtime: type[Runtime], capsys: pytest.CaptureFixture[str], counts: dict[str, Any]
) -> None:
    prediction = {"label": "NEGATIVE", "score": 1, **counts}
    runtime.answer = ANSWER | {"predictions": [prediction]}
    assert ask('{"inputs": "fine"}')["body"] == {"label": "NEGATIVE", "score": 1}
    line = line_of(capsys)
    assert "UnknownTokenShare" not in json.dumps(line)
    assert (line["Positive"], line["Negative"]) == (0, 1)


@pytest.mark.parametrize(
    ("status", "code", "metric"),
    [
        (429, "ThrottlingException", "Throttles"),
        (503, "ServiceUnavailable", "ModelErrors"),
        (424, "ModelError", "ModelErrors"),
    ],
)
def test_endpoint_error_is_a_metric(
    runtime: type[Runtime],
    capsys: pytest.CaptureFixture[str],
    status: int,
    code: str,
    metric: str,
) -> None:
    runtime.status, runtime.error_code = status, code
    runtime.answer = {"message": 'Received "I am a secret diary"'}
    answer = ask('{"inputs": "my secret diary"}')
    line = line_of(capsys)
    assert {name for name in metrics.UNITS if name in line} == {metric}
    assert (line["status"], line["cause"]) == (answer["statusCode"], code)
    assert "secret" not in json.dumps(line)


def test_refused_request_is_a_metric(capsys: pytest.CaptureFixture[str]) -> None:
    ask('{"inputs": ["my secret diary"]}')
    line = line_of(capsys)
    assert {name for name in metrics.UNITS if name in line} == {"Refused"}
    assert (line["status"], line["body_bytes"]) == (422, 31)


@pytest.mark.parametrize(
    "answer",
    [
        [],
        "my secret diary",
        {"predictions": [], "model_version": "a"},
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
    assert ask('{"inputs": "my secret diary"}')["statusCode"] == 502
    line = line_of(capsys)
    assert (line["ModelErrors"], line["cause"]) == (1, "UnreadableAnswer")
    assert "secret" not in json.dumps(line)


@pytest.mark.parametrize(
    "body",
    [
        '{"inputs": "my secret diary"}',
        '{"inputs": ["my secret diary"]}',
        '"my secret diary"',
        '{"inputs": "my secret diary',
        json.dumps({"inputs": "my secret diary" * 1000}),
        '{"inputs": "my secret diary \\ud800"}',
        '{"my secret diary": 1}',
    ],
)
def test_logs_never_hold_the_text(capsys: pytest.CaptureFixture[str], body: str) -> None:
    ask(body)
    ask(body, "text/plain")
    ask(body, isBase64Encoded=True)
    ask(base64.b64encode(body.encode()).decode(), isBase64Encoded=True)
    said = capsys.readouterr()
    assert "secret" not in said.out + said.err
    assert len(said.out.splitlines()) == 4


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(
    body=st.text() | st.recursive(st.none() | st.text() | st.integers(), st.lists).map(json.dumps)
)
def test_no_body_breaks_the_function(body: str) -> None:
    assert ask(body)["statusCode"] in (200, 400, 413, 422)
