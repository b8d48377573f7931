"""The fixture `execute`: a workflow of this repository, run as GitHub would; see `running.py`."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from local_aws.server import LocalAws
from tests.conftest import find_free_port
from tests.pipeline_steps.conftest import aws, release
from tests.pipeline_steps.inbox import opened
from tests.workflows.running import HERE, MODULES, ROOT, Executor, snapshot
from tests.workflows.shipping import Repository

__all__ = ["aws", "release"]  # fixtures of the steps, for the scenarios


def _executor(source: Path, folder: Path) -> Executor:
    """An executor of one copy of `source`, for all runs of a session."""
    if not MODULES.is_file():
        pytest.fail("GitHub's parser is not installed here: run `make node-modules`.")
    return Executor(folder / "tree", snapshot(source, folder / "tree"), folder, folder / "cache")


def _own(shared: Executor, folder: Path) -> Executor:
    """The same for one test: with folders and a cache of its own."""
    return Executor(shared.tree, shared.sha, folder, folder / "cache")


@pytest.fixture(scope="session")
def executor(tmp_path_factory: pytest.TempPathFactory) -> Executor:
    """The executor of this repository's workflows."""
    return _executor(ROOT, tmp_path_factory.mktemp("workflows"))


@pytest.fixture
def execute(executor: Executor, tmp_path: Path) -> Executor:
    """Execute a workflow of this repository."""
    return _own(executor, tmp_path)


@pytest.fixture
def repository(execute: Executor, aws: LocalAws) -> Iterator[Repository]:
    """A repository that is set up, with an AWS and a mail server of its own."""
    with opened(find_free_port()) as inbox:
        yield Repository(execute, aws, inbox)


@pytest.fixture(scope="session")
def fixtures(tmp_path_factory: pytest.TempPathFactory) -> Executor:
    """The executor of the small workflows that pin what GitHub does."""
    return _executor(HERE / "fixtures", tmp_path_factory.mktemp("fixtures"))


@pytest.fixture
def execute_fixture(fixtures: Executor, tmp_path: Path) -> Executor:
    """Execute one of the small workflows."""
    return _own(fixtures, tmp_path)
