"""A local AWS to deploy to, and models small enough to deploy in a moment."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from bench.faults.fake_release import package
from local_aws.server import LocalAws
from pipeline_steps.aws import Clients
from pipeline_steps.setting_groups import Environment
from pipeline_steps.settings import Settings
from tests.pipeline_steps.released import VERSION, Release


@pytest.fixture
def aws(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[LocalAws]:
    """A local AWS; boto3 reaches it by the environment, as the steps do."""
    with LocalAws(tmp_path / "aws", port=0, api_port=0) as local:
        for name, value in local.environment().items():
            monkeypatch.setenv(name, value)
        yield local


@pytest.fixture
def release(tmp_path: Path, aws: LocalAws) -> Callable[..., Settings]:
    """Make a packaged model of a version, as `package_model` would leave it."""

    def make(version: str = "aaaaaaaaaaaa", **overrides: Any) -> Settings:
        quick = {
            "endpoint_timeout": 60,
            "smoke_timeout": 10,
            "role_timeout": 1,
            "poll_seconds": 0.05,
        }
        return package(tmp_path, version, {**quick, **overrides})

    return make


@pytest.fixture
def clients(aws: LocalAws) -> Clients:
    """Clients of the local AWS."""
    assert aws
    return Clients()


@pytest.fixture
def settings(release: Callable[..., Settings]) -> Settings:
    """Settings of a packaged model."""
    return release(VERSION)


@pytest.fixture
def released(settings: Settings, clients: Clients) -> Callable[[Environment], Release]:
    """Make a release in an environment."""
    tarball = settings.work_dir / "model.tar.gz"
    return lambda environment: Release(settings.in_environment(environment), clients, tarball)
