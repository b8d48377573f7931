"""Requests become events of payload format 2.0; results become responses."""

import base64
import json
from typing import Any
from urllib.parse import parse_qs, parse_qsl, urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from local_aws.http_api_event import Request, build_event, read_result

WORDS = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)


def event_of(request: Request, **changes: Any) -> dict[str, Any]:
    """The event of a request to a plain API."""
    settings: dict[str, Any] = {
        "request_id": "0123456789abcdef",
        "account": "123456789012",
        "api_id": "abc",
        "route_key": "POST /predict",
        "path_parameters": {},
        "stage_variables": {},
        **changes,
    }
    return build_event(request, **settings)


def test_event_has_documented_shape() -> None:
    headers = [("Host", "127.0.0.1:8000"), ("User-Agent", "curl/8"), ("X-A", "1"), ("x-a", "2")]
    headers += [("Cookie", "a=1; b=2"), ("Content-Type", "application/json; charset=utf-8")]
    event = event_of(Request("POST", "/predict?x=1&y=2&x=3", headers, b'{"inputs": "\xc3\xa9"}'))
    context = event.pop("requestContext")
    assert {key: event[key] for key in event if key != "headers"} == {
        "version": "2.0",
        "routeKey": "POST /predict",
        "rawPath": "/predict",
        "rawQueryString": "x=1&y=2&x=3",
        "cookies": ["a=1", "b=2"],
        "queryStringParameters": {"x": "1,3", "y": "2"},
        "body": '{"inputs": "é"}',
        "isBase64Encoded": False,
    }
    assert event["headers"]["x-a"] == "1,2"
    assert "cookie" not in event["headers"]
    assert context["http"] == {
        "method": "POST",
        "path": "/predict",
        "protocol": "HTTP/1.1",
        "sourceIp": "127.0.0.1",
        "userAgent": "curl/8",
    }
    assert set(context) == {
        *("accountId", "apiId", "domainName", "domainPrefix", "http", "requestId", "routeKey"),
        *("stage", "time", "timeEpoch"),
    }
    assert (context["stage"], context["accountId"]) == ("$default", "123456789012")


def test_bare_request_leaves_out_the_rest() -> None:
    event = event_of(Request("GET", "/", []))
    assert not {"body", "cookies", "queryStringParameters", "pathParameters"} & set(event)
    assert event["isBase64Encoded"] is False


@given(st.lists(st.tuples(WORDS, WORDS), max_size=6))
def test_query_strings_are_joined(pairs: list[tuple[str, str]]) -> None:
    query = urlencode(pairs)
    event = event_of(Request("GET", f"/?{query}", []))
    assert event["rawQueryString"] == query
    expected = {k: ",".join(v) for k, v in parse_qs(query, keep_blank_values=True).items()}
    assert event.get("queryStringParameters", {}) == expected
    assert len(parse_qsl(query, keep_blank_values=True)) == len(pairs)


@given(
    st.binary(min_size=1, max_size=50),
    st.sampled_from(["application/json", "text/plain", "image/png", "", "application/x-www-form"]),
)
def test_bodies_arrive_unchanged(body: bytes, content_type: str) -> None:
    event = event_of(Request("POST", "/", [("content-type", content_type)], body))
    arrived = event["body"]
    decoded = base64.b64decode(arrived) if event["isBase64Encoded"] else arrived.encode()
    assert decoded == body
    if content_type == "image/png":
        assert event["isBase64Encoded"]


@pytest.mark.parametrize(
    ("result", "status", "body", "content_type"),
    [
        ({"statusCode": 201, "body": "hi"}, 201, b"hi", "text/plain;charset=utf-8"),
        ({"statusCode": "404"}, 404, b"", "text/plain;charset=utf-8"),
        ({"label": "POSITIVE"}, 200, b'{"label": "POSITIVE"}', "application/json"),
        ("hello", 200, b"hello", "application/json"),
        (None, 200, b"null", "application/json"),
        (
            {"statusCode": 200, "body": "/w==", "isBase64Encoded": True},
            200,
            b"\xff",
            "text/plain;charset=utf-8",
        ),
        (
            {"statusCode": 200, "headers": {"Content-Type": "text/html"}, "body": "<p>"},
            200,
            b"<p>",
            "text/html",
        ),
    ],
)
def test_results_become_responses(result: Any, status: int, body: bytes, content_type: str) -> None:
    response = read_result(json.dumps(result).encode())
    assert (response.status, response.body) == (status, body)
    assert {name.lower(): value for name, value in response.headers} == {
        "content-type": content_type
    }


def test_cookies_become_headers() -> None:
    response = read_result(b'{"statusCode": 200, "cookies": ["a=1", "b=2"]}')
    assert [value for name, value in response.headers if name == "Set-Cookie"] == ["a=1", "b=2"]


@pytest.mark.parametrize(
    "result",
    [
        {"statusCode": "none"},
        {"statusCode": 99},
        {"statusCode": 200, "headers": ["x"]},
        {"statusCode": 200, "body": "not base64!", "isBase64Encoded": True},
        {"statusCode": 200, "headers": {"x": "a\r\nset-cookie: b"}},
        {"statusCode": 200, "headers": {"x": "日本"}},
    ],
)
def test_malformed_results_are_errors(result: Any) -> None:
    response = read_result(json.dumps(result).encode())
    assert (response.status, response.body) == (500, b'{"message":"Internal Server Error"}')
