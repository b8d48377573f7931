"""The API as the public meets it: gateway, function and endpoint of a local AWS, a real model."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
import requests

from local_aws.server import LocalAws
from pipeline_steps import create_api, deploy_endpoint
from pipeline_steps import settings as settings_module
from pipeline_steps.aws import Clients
from pipeline_steps.release_artefacts import Api
from pipeline_steps.settings import Settings
from tests.conftest import QUICK

# Throttling is a test of its own; every other one asks as fast as it can.
LIVE = QUICK | {"throttle_rate": 10_000, "throttle_burst": 5_000, "poll_seconds": 0.05}


@dataclass(frozen=True)
class LiveApi:
    """A released API, and the AWS that it runs on."""

    url: str
    settings: Settings
    clients: Clients
    environment: dict[str, str]  # by which boto3 finds the AWS

    def predict(self, inputs: Any, **parameters: bool) -> requests.Response:
        """The answer to POST /predict."""
        return self.post({"inputs": inputs} | ({"parameters": parameters} if parameters else {}))

    def post(self, body: Any) -> requests.Response:
        """The answer to POST /predict with any JSON."""
        return self.ask("POST", "/predict", json=body)

    def ask(self, method: str, path: str, **more: Any) -> requests.Response:
        """The answer to any request."""
        return requests.request(method, self.url + path, timeout=60, **more)

    @contextmanager
    def with_settings(self, **changes: Any) -> Iterator[None]:
        """The API with other settings of its own, until the end."""
        other = replace(self.settings, api=replace(self.settings.api, **changes))
        create_api.run(other, self.clients)
        try:
            yield
        finally:
            create_api.run(self.settings, self.clients)

    def log_lines(self) -> list[str]:
        """All that the function and the gateway have logged."""
        groups = [
            group["logGroupName"] for group in self.clients.logs.describe_log_groups()["logGroups"]
        ]
        pages = self.clients.logs.get_paginator("filter_log_events")
        return [
            event["message"]
            for group in groups
            for page in pages.paginate(logGroupName=group)
            for event in page["events"]
        ]


@pytest.fixture(scope="module")
def live(packaged_once: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveApi]:
    """The packaged demo model behind its API, for the tests of a module."""
    build = tmp_path_factory.mktemp("live") / "build"
    shutil.copytree(packaged_once, build)
    with LocalAws(build / "aws", port=0, api_port=0) as aws, pytest.MonkeyPatch.context() as patch:
        for name, value in aws.environment().items():
            patch.setenv(name, value)
        settings = settings_module.load("demo", build, LIVE)
        clients = Clients()
        for step in (deploy_endpoint, create_api):
            step.run(settings, clients)
        url = Api.load(settings.environment_dir).api_url
        yield LiveApi(url, settings, clients, aws.environment())
