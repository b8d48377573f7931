"""A local AWS to deploy to, and models small enough to deploy in a moment."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from bench.faults.fake_release import package
from local_aws.server import LocalAws
from pipeline_steps.settings import Settings


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
