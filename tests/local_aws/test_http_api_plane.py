"""The HTTP API finds the route, asks the policy, calls the uploaded function, and answers."""

import threading
import time
from typing import Any

import pytest
import requests
from botocore.exceptions import ClientError

COUNTS = """
import os, time
def handler(event, context):
    time.sleep(float(event.get("queryStringParameters", {}).get("sleep", 0)))
    return {"process": os.getpid()}
"""


@pytest.fixture(scope="module")
def echo(kit: Any) -> str:
    """The URL of an API whose function answers with its event."""
    arn = kit.create_function("echo", Timeout=10)
    routes = ("POST /predict", "GET /", "GET /items/{id}", "ANY /any", "GET /deep/{rest+}")
    return str(kit.create_api("echo", arn, *routes))


def test_posted_text_reaches_function(echo: str) -> None:
    answer = requests.post(f"{echo}/predict?a=1", json={"inputs": "good"}, timeout=10)
    event = answer.json()
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "application/json"
    assert (event["routeKey"], event["rawPath"]) == ("POST /predict", "/predict")
    assert event["body"] == '{"inputs": "good"}'
    assert event["headers"]["content-type"] == "application/json"
    assert event["requestContext"]["domainName"] == echo.removeprefix("http://")


@pytest.mark.parametrize(
    ("method", "path", "route_key", "parameters"),
    [
        ("GET", "/", "GET /", None),
        ("GET", "/items/7", "GET /items/{id}", {"id": "7"}),
        ("DELETE", "/any", "ANY /any", None),
        ("GET", "/deep/a/b", "GET /deep/{rest+}", {"rest": "a/b"}),
    ],
)
def test_requests_find_their_route(
    echo: str, method: str, path: str, route_key: str, parameters: Any
) -> None:
    event = requests.request(method, echo + path, timeout=10).json()
    assert event["routeKey"] == route_key
    assert event.get("pathParameters") == parameters


@pytest.mark.parametrize(
    ("method", "path"), [("GET", "/predict"), ("POST", "/"), ("GET", "/items/7/8")]
)
def test_requests_without_route_are_not_found(echo: str, method: str, path: str) -> None:
    answer = requests.request(method, echo + path, timeout=10)
    assert (answer.status_code, answer.text) == (404, '{"message":"Not Found"}')


def test_default_route_catches_all(kit: Any) -> None:
    arn = kit.create_function("catches")
    url = kit.create_api("catches", arn, "$default", "GET /known")
    assert requests.put(f"{url}/what/ever", timeout=10).json()["routeKey"] == "$default"
    assert requests.get(f"{url}/known", timeout=10).json()["routeKey"] == "GET /known"


def test_connection_is_kept_alive(echo: str) -> None:
    with requests.Session() as session:
        began = time.monotonic()
        for _ in range(20):
            assert session.post(f"{echo}/predict", data="x", timeout=10).ok
        # Small packets that wait for one another would cost 40 ms or more each.
        assert time.monotonic() - began < 0.6


def test_body_above_limit_is_refused(echo: str) -> None:
    answer = requests.post(
        f"{echo}/predict", headers={"Content-Length": str(10 * 1024 * 1024 + 1)}, timeout=10
    )
    assert (answer.status_code, answer.json()["message"]) == (413, "Request Entity Too Large")


@pytest.mark.parametrize("pattern", [None, "*/*/other", "$default/GET/predict"])
def test_missing_permission_is_an_error(kit: Any, pattern: str | None) -> None:
    name = f"denied-{len(pattern or '')}"
    arn = kit.create_function(name)
    url = kit.create_api(name, arn, "POST /predict", allowed=False)
    apis = kit.client("apigatewayv2").get_apis()["Items"]
    api_id = next(api["ApiId"] for api in apis if api["Name"] == name)
    if pattern:
        kit.allow(arn, api_id, pattern)
    answer = requests.post(f"{url}/predict", json={}, timeout=10)
    assert (answer.status_code, answer.text) == (500, '{"message":"Internal Server Error"}')
    kit.client("lambda").add_permission(
        FunctionName=name,
        StatementId="right",
        Action="lambda:InvokeFunction",
        Principal="apigateway.amazonaws.com",
        SourceArn=f"arn:aws:execute-api:us-east-1:123456789012:{api_id}/*/POST/predict",
    )
    assert requests.post(f"{url}/predict", json={}, timeout=10).ok


def test_failed_function_is_an_error(kit: Any) -> None:
    arn = kit.create_function("fails", "def handler(event, context): raise ValueError('secret')")
    url = kit.create_api("fails", arn, "GET /")
    answer = requests.get(url, timeout=10)
    assert (answer.status_code, answer.text) == (500, '{"message":"Internal Server Error"}')


def test_slow_function_is_given_up(kit: Any) -> None:
    arn = kit.create_function("slow", COUNTS, Timeout=10)
    url = kit.create_api("slow", arn, "GET /", timeout=300)
    requests.get(url, timeout=10)  # warm
    answer = requests.get(f"{url}/?sleep=1", timeout=10)
    assert (answer.status_code, answer.text) == (503, '{"message":"Service Unavailable"}')


def test_parallel_requests_run_side_by_side(kit: Any) -> None:
    arn = kit.create_function("aside", COUNTS, Timeout=10)
    url = kit.create_api("aside", arn, "GET /")
    answers: list[Any] = []
    threads = [
        threading.Thread(
            target=lambda: answers.append(requests.get(f"{url}/?sleep=0.5", timeout=10).json())
        )
        for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len({answer["process"] for answer in answers}) == 4


def test_alias_behind_api_moves(kit: Any) -> None:
    functions = kit.client("lambda")
    code = "def handler(event, context): return {}"
    arn = kit.create_function("alias", code.format("'one'"))
    functions.publish_version(FunctionName="alias")
    functions.create_alias(FunctionName="alias", Name="live", FunctionVersion="1")
    url = kit.create_api("alias", f"{arn}:live", "GET /")
    kit.update_code("alias", code.format("'two'"))
    functions.publish_version(FunctionName="alias")
    assert requests.get(url, timeout=10).text == "one"
    functions.update_alias(FunctionName="alias", Name="live", FunctionVersion="2")
    assert requests.get(url, timeout=10).text == "two"


def test_deleted_api_hangs_up(kit: Any) -> None:
    arn = kit.create_function("deleted")
    url = kit.create_api("deleted", arn, "GET /")
    gateway = kit.client("apigatewayv2")
    api = next(api for api in gateway.get_apis()["Items"] if api["Name"] == "deleted")
    assert api["ApiEndpoint"] == url
    gateway.delete_api(ApiId=api["ApiId"])
    with pytest.raises(requests.ConnectionError):
        requests.get(url, timeout=10)
    with pytest.raises(gateway.exceptions.NotFoundException):
        gateway.delete_api(ApiId=api["ApiId"])


def test_stage_settings_can_change(kit: Any) -> None:
    arn = kit.create_function("stage")
    url = kit.create_api("stage", arn, "GET /")
    gateway = kit.client("apigatewayv2")
    api = next(api for api in gateway.get_apis()["Items"] if api["Name"] == "stage")
    settings = {"ThrottlingRateLimit": 5.0, "ThrottlingBurstLimit": 10}
    gateway.update_stage(
        ApiId=api["ApiId"],
        StageName="$default",
        DefaultRouteSettings=settings,
        StageVariables={"colour": "blue"},
    )
    stage = gateway.get_stage(ApiId=api["ApiId"], StageName="$default")
    assert stage["DefaultRouteSettings"] == settings
    assert requests.get(url, timeout=10).json()["stageVariables"] == {"colour": "blue"}


@pytest.mark.parametrize(
    ("operation", "arguments", "error"),
    [
        ("create_route", {"RouteKey": "GET /"}, "ConflictException"),
        ("create_stage", {"StageName": "$default"}, "ConflictException"),
        (
            "create_integration",
            {"IntegrationType": "AWS_PROXY", "PayloadFormatVersion": "1.0"},
            "BadRequestException",
        ),
    ],
)
def test_wrong_requests_are_refused(
    kit: Any, echo: str, operation: str, arguments: dict[str, str], error: str
) -> None:
    gateway = kit.client("apigatewayv2")
    api = next(api for api in gateway.get_apis()["Items"] if api["ApiEndpoint"] == echo)
    with pytest.raises(ClientError, match=error):
        getattr(gateway, operation)(ApiId=api["ApiId"], **arguments)
