"""Garbage collection: what is kept, what goes, and what it must never touch."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from bench.faults import fake_release
from pipeline_steps import create_api, deploy_endpoint, garbage, smoke_test
from pipeline_steps.aws import Clients
from pipeline_steps.create_api import zip_function
from pipeline_steps.release_artefacts import Api
from pipeline_steps.settings import Settings

Make = Callable[..., Settings]


def ship(settings: Settings) -> None:
    for step in (deploy_endpoint, create_api, smoke_test):
        step.run(settings, Clients())


def versions_of(items: list[dict[str, Any]], key: str, name: str) -> list[str]:
    """The model versions in the names of what is `name`'s."""
    return sorted(item[key].split("-")[-2] for item in items if item[key].startswith(f"{name}-"))


def configs(settings: Settings) -> list[str]:
    found = Clients().sagemaker.list_endpoint_configs()["EndpointConfigs"]
    return versions_of(found, "EndpointConfigName", settings.resource_name)


def models(settings: Settings) -> list[str]:
    found = Clients().sagemaker.list_models()["Models"]
    return versions_of(found, "ModelName", settings.resource_name)


def test_last_releases_are_kept(release: Make) -> None:
    for letter in "abcd":
        settings = release(letter * 12, keep_releases=2)
        ship(settings)
    assert configs(settings) == models(settings) == ["c" * 12, "d" * 12]


def test_orphan_of_a_killed_run_goes(release: Make) -> None:
    # GIVEN a model that was deployed and never passed its test
    deploy_endpoint.run(release("aaaaaaaaaaaa"), Clients())
    settings = release("bbbbbbbbbbbb")
    ship(settings)
    assert configs(settings) == models(settings) == ["bbbbbbbbbbbb"]


def test_what_is_younger_than_the_release_stays(release: Make) -> None:
    settings = release("aaaaaaaaaaaa")
    ship(settings)
    # GIVEN another run that has made its configuration and not yet switched to it
    deploy_endpoint._create_config(
        *(release("bbbbbbbbbbbb"), Clients().sagemaker),
        deploy_endpoint.Manifest.load(settings.work_dir),
        Clients().sagemaker.describe_model(
            ModelName=Clients().sagemaker.list_models()["Models"][0]["ModelName"]
        )["PrimaryContainer"],
    )
    garbage.collect(settings, Clients())
    assert configs(settings) == ["aaaaaaaaaaaa", "bbbbbbbbbbbb"]


def test_staging_is_not_productions_garbage(release: Make) -> None:
    ship(release("aaaaaaaaaaaa").in_environment("staging"))
    settings = release("bbbbbbbbbbbb", keep_releases=2)
    ship(settings)
    assert configs(settings.in_environment("staging")) == ["aaaaaaaaaaaa"]


def test_double_apis_and_integrations_go(release: Make) -> None:
    clients, settings = Clients(), release()
    ship(settings)
    api = Api.load(settings.environment_dir)
    (known,) = clients.apigateway.get_integrations(ApiId=api.api_id)["Items"]
    # GIVEN what a lost answer leaves behind
    clients.apigateway.create_api(
        Name=settings.resource_name, ProtocolType="HTTP", Tags=settings.tags
    )
    clients.apigateway.create_integration(
        ApiId=api.api_id, IntegrationType="AWS_PROXY", PayloadFormatVersion="2.0",
        IntegrationUri=known["IntegrationUri"],
    )  # fmt: skip
    garbage.collect(settings, clients)
    assert [found["ApiId"] for found in clients.apigateway.get_apis()["Items"]] == [api.api_id]
    assert clients.apigateway.get_integrations(ApiId=api.api_id)["Items"] == [known]


def test_api_of_somebody_else_is_left(release: Make) -> None:
    clients, settings = Clients(), release()
    clients.apigateway.create_api(Name=settings.resource_name, ProtocolType="HTTP")
    ship(settings)
    assert len(clients.apigateway.get_apis()["Items"]) == 2


def test_old_function_versions_go(
    release: Make, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    # GIVEN three releases, each with another function
    for number in (1, 2, 3):
        folder = tmp_path / f"lambda-{number}"
        fake_release.write_function(folder, create_api.SOURCES, number)
        zipped = zip_function(folder)
        monkeypatch.setattr(create_api, "zip_function", lambda zipped=zipped: zipped)
        settings = release(keep_releases=2)
        ship(settings)
    found = Clients().lambda_.list_versions_by_function(FunctionName=settings.resource_name)
    assert [item["Version"] for item in found["Versions"]] == ["$LATEST", "2", "3"]
