"""What stands before the function is as the settings say, on the first run and on any after it."""

import dataclasses
import json
import time
from collections.abc import Callable
from typing import Any

import pytest
import requests

from pipeline_steps import api_auth, create_api, deploy_endpoint, live_test
from pipeline_steps.aws import Clients
from pipeline_steps.errors import ConfigurationError, SmokeTestError
from pipeline_steps.evaluation_artefacts import Evaluation
from pipeline_steps.release_artefacts import Api, Release
from pipeline_steps.settings import Settings

Make = Callable[..., Settings]
ORIGIN = "https://example.com"
JWT = {"authorizer": "jwt", "jwt_issuer": "http://127.0.0.1:9", "jwt_audience": "t5, other"}


@pytest.fixture
def deployed(release: Make) -> Settings:
    settings = release()
    deploy_endpoint.run(settings, Clients())
    return settings


def change(settings: Settings, **api: Any) -> Settings:
    return dataclasses.replace(settings, api=dataclasses.replace(settings.api, **api))


def ship(settings: Settings) -> str:
    create_api.run(settings, Clients())
    return Api.load(settings.environment_dir).api_url


def ask(url: str, path: str = "/predict", **headers: str) -> requests.Response:
    method = "POST" if path == "/predict" else "GET"
    body = {"inputs": "a good film"} if path == "/predict" else None
    return requests.request(method, url + path, json=body, headers=headers, timeout=30)


def test_every_route_answers(deployed: Settings) -> None:
    url = ship(deployed)
    for path in ("/predict", "/health", "/health?deep=1", "/", "/docs", "/openapi.json"):
        answer = ask(url, path)
        assert (answer.status_code, answer.headers["X-Model-Version"]) == (200, "aaaaaaaaaaaa")
    missing = ask(url, "/nothing")
    assert (missing.status_code, missing.json()["status"]) == (404, 404)


def test_requests_are_throttled_as_set(deployed: Settings) -> None:
    url = ship(change(deployed, throttle_rate=1.0, throttle_burst=2))
    # More at once than pass, however slow the machine: the bucket fills by one a second
    began = time.monotonic()
    passed = [ask(url).status_code for _ in range(12)].count(200)
    assert 2 <= passed <= 2 + time.monotonic() - began
    # AND a change is brought to the API that is there
    assert ship(change(deployed, throttle_rate=100.0, throttle_burst=50)) == url
    assert {ask(url).status_code for _ in range(10)} == {200}


def test_origins_come_and_go(deployed: Settings) -> None:
    url = ship(change(deployed, cors_origins=f"{ORIGIN}, https://other.example.com"))
    assert ask(url, Origin=ORIGIN).headers["Access-Control-Allow-Origin"] == ORIGIN
    assert ship(change(deployed, cors_origins="https://other.example.com")) == url
    assert "Access-Control-Allow-Origin" not in ask(url, Origin=ORIGIN).headers
    ship(deployed)
    other = ask(url, Origin="https://other.example.com")
    assert "Access-Control-Allow-Origin" not in other.headers


def test_iam_guards_all_that_asks_the_model(
    deployed: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = change(deployed, authorizer="iam")
    url = ship(settings)
    assert ask(url).status_code == ask(url, "/health?deep=1").status_code == 403
    assert ask(url, "/").status_code == 200
    # AND no other way leads to it
    for method, path in (("POST", "/$default/predict"), ("HEAD", "/health?deep=1")):
        body = {"inputs": "a good film"} if method == "POST" else None
        answer = requests.request(method, url + path, json=body, timeout=30)
        assert answer.status_code in (404, 405)
    evaluation = Evaluation.load(settings.work_dir)
    version = Release.load(settings.environment_dir).model_version
    auth = api_auth.auth_for(settings)
    assert live_test.hold_to(url, version, evaluation, 10, auth).golden_answers == 2
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "guessed")
    with pytest.raises(SmokeTestError, match="403"):
        live_test.hold_to(url, version, evaluation, 0, auth)


def test_jwt_comes_and_goes(deployed: Settings) -> None:
    clients = Clients()
    url = ship(change(deployed, **JWT))
    assert ask(url).status_code == ask(url, Authorization="Bearer x").status_code == 401
    api_id = Api.load(deployed.environment_dir).api_id
    (first,) = clients.apigateway.get_authorizers(ApiId=api_id)["Items"]
    assert first["JwtConfiguration"]["Audience"] == ["t5", "other"]
    # WHEN another audience is set, and a lost answer has left a double
    clients.apigateway.create_authorizer(ApiId=api_id, **{
        name: first[name]
        for name in ("Name", "AuthorizerType", "IdentitySource", "JwtConfiguration")
    })  # fmt: skip
    ship(change(deployed, **JWT | {"jwt_audience": "new"}))
    (only,) = clients.apigateway.get_authorizers(ApiId=api_id)["Items"]
    assert only["JwtConfiguration"]["Audience"] == ["new"]
    # AND when it is given up, nothing of it is left
    ship(deployed)
    assert clients.apigateway.get_authorizers(ApiId=api_id)["Items"] == []
    assert ask(url).status_code == 200


def test_token_is_asked_for_before_the_test(
    deployed: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = change(deployed, **JWT)
    with pytest.raises(ConfigurationError, match="API_TOKEN"):
        api_auth.auth_for(settings)
    monkeypatch.setenv("API_TOKEN", "x.y.z")
    prepared = requests.Request("GET", "http://x", auth=api_auth.auth_for(settings)).prepare()
    assert prepared.headers["Authorization"] == "Bearer x.y.z"


def test_access_is_noted_without_bodies_and_paths(deployed: Settings) -> None:
    url = ship(deployed)
    answers = [
        requests.post(f"{url}/predict?secret=1", json={"inputs": "my secret diary"}, timeout=30),
        ask(url, "/my-secret-diary"),
    ]
    events = [
        event["message"]
        for group in Clients().logs.describe_log_groups()["logGroups"]
        for event in Clients().logs.filter_log_events(logGroupName=group["logGroupName"])["events"]
    ]
    noted = [json.loads(line) for line in events if "responseLatency" in line]
    assert [(line["routeKey"], line["status"]) for line in noted] == [
        ("POST /predict", "200"),
        ("$default", "404"),
    ]
    names = [answer.headers["Apigw-Requestid"] for answer in answers]
    assert [line["requestId"] for line in noted] == names
    assert len(events) >= 3
    assert "secret" not in "".join(events)


def test_settings_that_cannot_be_are_refused(release: Make) -> None:
    for wrong in (
        {"authorizer": "jwt"},
        {"cors_origins": "*"},
        {"cors_origins": "https://example.com/path"},
        {"report_url": "javascript:alert(1)"},
        {"report_page": "javascript:alert(1)"},
        {"throttle_rate": 0.0},
    ):
        with pytest.raises(ConfigurationError, match=r"demo\.api"):
            release(**wrong)
