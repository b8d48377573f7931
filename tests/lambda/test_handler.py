"""Routes, headers, health and refusals: what every client of the API can rely on."""

import base64
import json
from typing import Any

import handler
import model_client
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.function_calls import ANSWER, PREDICTION, REQUEST_ID, Runtime, ask, event, get, send

TOKENS = [
    {"text": "stunning", "start": 3, "end": 11, "gate": 0.9, "id": 5},
    {"text": "!", "start": 11, "end": 12, "gate": 0.1},
]


def test_text_is_answered_with_label_and_score(runtime: type[Runtime]) -> None:
    answer = ask({"inputs": "I absolutely loved this movie!"})
    assert answer["statusCode"] == 200
    assert answer["body"] == {"label": "POSITIVE", "score": 0.98}
    assert answer["headers"]["X-Model-Version"] == "0123456789ab"
    assert runtime.asked == [
        ("/endpoints/the-endpoint/invocations", {"inputs": "I absolutely loved this movie!"})
    ]


def test_list_is_answered_in_order(runtime: type[Runtime]) -> None:
    worse = PREDICTION | {"label": "NEGATIVE", "score": 0.6}
    runtime.answer = ANSWER | {"predictions": [PREDICTION, worse]}
    answer = ask({"inputs": ["good", "bad"]})
    assert [item["label"] for item in answer["body"]] == ["POSITIVE", "NEGATIVE"]
    assert runtime.asked[0][1] == {"inputs": ["good", "bad"]}
    runtime.answer = ANSWER
    assert ask({"inputs": ["good"]})["body"] == [{"label": "POSITIVE", "score": 0.98}]


def test_explanation_has_the_weight_of_each_token(runtime: type[Runtime]) -> None:
    runtime.answer = ANSWER | {"predictions": [PREDICTION | {"explanation": TOKENS}]}
    answer = ask({"inputs": "It stunning!", "parameters": {"explain": True}})
    assert runtime.asked[0][1]["parameters"] == {"explain": True}
    assert answer["body"]["tokens"][0] == {"text": "stunning", "start": 3, "end": 11, "gate": 0.9}
    assert len(answer["body"]["tokens"]) == 2
    assert "tokens" not in ask({"inputs": "fine", "parameters": {"explain": False}})["body"]


@pytest.mark.parametrize(
    ("name", "status"),
    [
        ("predict", 200),
        ("predict_base64", 200),
        ("predict_missing_body", 400),
        ("predict_multi_value_headers", 200),
        ("predict_two_content_types", 415),
        ("predict_curl_form", 415),
        ("predict_in_stage", 200),
        ("predict_with_jwt", 200),
        ("health_deep", 200),
        ("page", 200),
        ("not_found", 404),
    ],
)
def test_captured_events_are_understood(name: str, status: int) -> None:
    answer = send(event(name))
    assert answer["statusCode"] == status
    assert answer["headers"]["X-Request-Id"] == REQUEST_ID
    assert answer["headers"]["X-Model-Version"] in ("0123456789ab", "released00000")
    assert answer["headers"]["X-Content-Type-Options"] == "nosniff"
    assert name == "page" or "errors" not in answer["body"]


def test_health_is_cheap_unless_asked_deep(runtime: type[Runtime]) -> None:
    known = {"status": "ok", "model_version": "released00000", "deep": False}
    assert get("/health")["body"] == known
    assert get("/health", deep="0")["body"] == known
    assert runtime.asked == []
    assert get("/health", deep="1")["body"]["model_version"] == "0123456789ab"
    assert len(runtime.asked) == 1


def test_health_tells_a_model_that_fails(runtime: type[Runtime]) -> None:
    runtime.errors = [(400, "ValidationError")]
    answer = get("/health", deep="true")
    assert (answer["statusCode"], answer["body"]["status"]) == (503, 503)


def test_health_knows_no_other_depth(runtime: type[Runtime]) -> None:
    assert get("/health", deep="very")["statusCode"] == 422
    assert runtime.asked == []


@pytest.mark.parametrize("path", ["/predict/", "/nothing", "", "/../predict", "/PREDICT"])
def test_unknown_path_is_a_problem(path: str) -> None:
    answer = get(path)
    assert answer["statusCode"] == 404
    assert answer["headers"]["Content-Type"] == "application/problem+json"


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [("GET", "/predict", "POST"), ("HEAD", "/health", "GET"), ("PUT", "/", "GET, HEAD")],
)
def test_other_method_is_told_which_is_right(method: str, path: str, allowed: str) -> None:
    answer = get(path, method)
    assert (answer["statusCode"], answer["headers"]["Allow"]) == (405, allowed)


def test_head_of_a_page_is_answered_like_get() -> None:
    assert get("/", "HEAD")["statusCode"] == 200


@pytest.mark.parametrize("prefix", ["", "/$default"])
@pytest.mark.parametrize(("name", "path"), [("predict", "/predict"), ("health_deep", "/health")])
def test_model_is_reached_by_its_own_routes_only(
    runtime: type[Runtime], name: str, path: str, prefix: str
) -> None:
    # GIVEN a request that came by $default, which no authorizer guards
    request = event(name) | {"routeKey": "$default", "rawPath": prefix + path}
    request["requestContext"]["stage"] = "$default"
    assert send(request)["statusCode"] == 404
    assert runtime.asked == []


def test_problem_has_all_that_its_standard_asks(runtime: type[Runtime]) -> None:
    answer = ask("{")
    assert answer["headers"]["Content-Type"] == "application/problem+json"
    assert answer["body"] == {
        "type": "about:blank",
        "title": "Bad Request",
        "status": 400,
        "detail": 'The body is not JSON. Expected {"inputs": "text"}.',
    }
    assert runtime.asked == []


def test_bug_tells_neither_client_nor_log_the_text(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def broken(*_: Any) -> None:
        raise KeyError("my secret diary, arn:aws:iam::123456789012:role/x")

    monkeypatch.setattr(model_client, "ask", broken)
    answer = ask({"inputs": "my secret diary"})
    assert answer["statusCode"] == 500
    said = capsys.readouterr().out
    line = json.loads(said)
    assert (line["cause"], line["status"], line["ModelErrors"]) == ("KeyError", 500, 1)
    assert line["at"].partition(":")[0].endswith("test_handler.py")
    for word in ("secret", "arn:", "Traceback"):
        assert word not in said + json.dumps(answer)


@pytest.mark.parametrize(
    "body",
    [
        '{"inputs": "my secret diary"}',
        '{"inputs": ["my secret diary"]}',
        '{"inputs": "my secret diary", "parameters": {"explain": true}}',
        '"my secret diary"',
        '{"inputs": "my secret diary',
        json.dumps({"inputs": "my secret diary" * 1000}),
        '{"inputs": "my secret diary \\ud800"}',
        '{"my secret diary": 1}',
        '{"inputs": "x", "parameters": {"my secret diary": 1}}',
    ],
)
def test_logs_never_hold_the_text(capsys: pytest.CaptureFixture[str], body: str) -> None:
    ask(body)
    ask(body, "text/plain")
    ask(body, isBase64Encoded=True)
    ask(base64.b64encode(body.encode()).decode(), isBase64Encoded=True)
    get("/my secret diary")
    said = capsys.readouterr()
    assert "secret" not in said.out + said.err
    assert len(said.out.splitlines()) == 5


@pytest.mark.parametrize("body", ['{"inputs": "my\\r\\nX-Evil: 1"}', '{"a\\r\\nb: c": 1}'])
def test_headers_never_hold_the_text(body: str) -> None:
    answer = ask(body)
    assert all("\n" not in f"{name}{value}" for name, value in answer["headers"].items())
    assert "Evil" not in str(answer["headers"])


def test_texts_are_logged_only_for_debugging(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("LOG_TEXTS", "true")
    ask({"inputs": "x" * 500})
    assert json.loads(capsys.readouterr().out)["texts"] == ["x" * handler.LOGGED_CHARACTERS]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(
    body=st.text() | st.recursive(st.none() | st.text() | st.integers(), st.lists).map(json.dumps)
)
def test_no_body_breaks_the_function(body: str) -> None:
    assert ask(body)["statusCode"] in (200, 400, 413, 422)
