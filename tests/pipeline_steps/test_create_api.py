"""The API: one function, one alias, its routes; repeated runs change nothing."""

import dataclasses
import json
import re
from collections.abc import Callable

import pytest
import requests

from pipeline_steps import create_api, deploy_endpoint, http_api_front
from pipeline_steps.aws import Clients
from pipeline_steps.create_api import zip_function
from pipeline_steps.errors import ApiError, ConfigurationError
from pipeline_steps.release_artefacts import Api, Release
from pipeline_steps.settings import Settings

Make = Callable[..., Settings]


@pytest.fixture
def deployed(release: Make) -> Settings:
    settings = release()
    deploy_endpoint.run(settings, Clients())
    return settings


def predict(settings: Settings, text: str) -> requests.Response:
    url = Api.load(settings.environment_dir).api_url
    return requests.post(f"{url}/predict", json={"inputs": text}, timeout=30)


def test_api_answers_through_every_part(deployed: Settings) -> None:
    assert create_api.run(deployed, Clients()).status == "done"
    answer = predict(deployed, "a good film")
    assert answer.status_code == 200
    assert answer.json() == {"label": "POSITIVE", "score": 0.9}
    assert answer.headers["X-Model-Version"] == "aaaaaaaaaaaa"


def test_second_run_changes_nothing(deployed: Settings) -> None:
    clients = Clients()
    create_api.run(deployed, clients)
    first = Api.load(deployed.environment_dir)
    assert create_api.run(deployed, clients).status == "reused"
    assert Api.load(deployed.environment_dir) == first
    apis = clients.apigateway.get_apis()["Items"]
    assert len(apis) == 1
    routes = clients.apigateway.get_routes(ApiId=first.api_id)["Items"]
    assert sorted(route["RouteKey"] for route in routes) == sorted(http_api_front.ROUTES)
    assert len(clients.apigateway.get_integrations(ApiId=first.api_id)["Items"]) == 1


def test_log_is_there_before_the_function(deployed: Settings) -> None:
    clients = Clients()
    nobody = with_role(deployed, "arn:aws:iam::123456789012:role/nobody")
    with pytest.raises(ApiError):
        create_api.run(nobody, clients)
    groups = clients.logs.describe_log_groups()["logGroups"]
    assert "/aws/lambda/t5-sentiment-demo" in [group["logGroupName"] for group in groups]


def test_change_by_hand_is_undone(deployed: Settings) -> None:
    clients = Clients()
    create_api.run(deployed, clients)
    name = Api.load(deployed.environment_dir).function_name
    # GIVEN somebody changed the function by hand
    clients.lambda_.update_function_configuration(FunctionName=name, Timeout=3)
    clients.lambda_.get_waiter("function_updated_v2").wait(FunctionName=name)
    assert create_api.run(deployed, clients).status == "done"
    live = clients.lambda_.get_function_configuration(FunctionName=name, Qualifier="live")
    assert live["Timeout"] == create_api.FUNCTION_SECONDS
    assert predict(deployed, "a good film").status_code == 200


def test_run_killed_before_publishing_goes_on(deployed: Settings) -> None:
    clients = Clients()
    create_api.run(deployed, clients)
    name = Api.load(deployed.environment_dir).function_name
    updated = clients.lambda_.get_waiter("function_updated_v2")
    # GIVEN an alias on another endpoint, and an update that was never published
    clients.lambda_.update_function_configuration(
        FunctionName=name, Environment={"Variables": {"ENDPOINT_NAME": "other"}}
    )
    updated.wait(FunctionName=name)
    clients.lambda_.update_alias(
        FunctionName=name, Name="live",
        FunctionVersion=clients.lambda_.publish_version(FunctionName=name)["Version"],
    )  # fmt: skip
    release = Release.load(deployed.environment_dir)
    clients.lambda_.update_function_configuration(
        FunctionName=name, Environment={"Variables": {"ENDPOINT_NAME": release.endpoint_name}}
    )
    updated.wait(FunctionName=name)
    create_api.run(deployed, clients)
    assert predict(deployed, "a good film").status_code == 200


def test_zip_has_the_same_bytes_each_time() -> None:
    assert zip_function() == zip_function()


def with_role(settings: Settings, role: str) -> Settings:
    deploy = dataclasses.replace(settings.deploy, lambda_role_arn=role)
    return dataclasses.replace(settings, deploy=deploy)


def test_missing_role_is_told(deployed: Settings) -> None:
    with pytest.raises(ConfigurationError, match="LAMBDA_ROLE_ARN"):
        create_api.run(with_role(deployed, ""), Clients())


def test_refused_role_names_the_call(deployed: Settings) -> None:
    nobody = with_role(deployed, "arn:aws:iam::123456789012:role/nobody")
    with pytest.raises(ApiError, match=r"Creating the API .*CreateFunction failed"):
        create_api.run(nobody, Clients())


def test_role_of_the_environment_is_filled_in(deployed: Settings) -> None:
    clients = Clients()
    trust = clients.iam.get_role(RoleName="t5-sentiment-lambda")["Role"]
    arn = clients.iam.create_role(
        RoleName="function-production",
        AssumeRolePolicyDocument=json.dumps(trust["AssumeRolePolicyDocument"]),
    )["Role"]["Arn"]
    create_api.run(with_role(deployed, arn.replace("production", "{environment}")), clients)
    found = clients.lambda_.get_function_configuration(FunctionName=deployed.resource_name)
    assert found["Role"] == arn


def test_report_of_a_run_stays_while_its_model_does(release: Make) -> None:
    clients, pages = Clients(), [f"https://example.com/runs/{number}" for number in range(3)]

    def linked(version: str, status: str, **more: str) -> str:
        settings = release(version, **more)
        deploy_endpoint.run(settings, clients)
        assert create_api.run(settings, clients).status == status
        page = requests.get(Api.load(settings.environment_dir).api_url, timeout=30).text
        return re.findall(r'data-report="([^"]*)"', page)[0]

    # WHEN the same model is released again by another run THEN that is no new release
    assert linked("aaaaaaaaaaaa", "done", report_page=pages[0]) == pages[0]
    assert linked("aaaaaaaaaaaa", "reused", report_page=pages[1]) == pages[0]
    # AND the next model has its own run, and a lasting address goes before both
    assert linked("bbbbbbbbbbbb", "done", report_page=pages[2]) == pages[2]
    lasting = {"report_url": "https://example.com/{model_version}", "report_page": pages[2]}
    assert linked("bbbbbbbbbbbb", "done", **lasting) == "https://example.com/bbbbbbbbbbbb"
    # AND a rollback to the first version of the function finds the address that it had
    first = clients.lambda_.get_function_configuration(
        FunctionName="t5-sentiment-demo", Qualifier="1"
    )
    assert first["Environment"]["Variables"]["REPORT_URL"] == pages[0]
