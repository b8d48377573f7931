"""What every test shares: the folder of real data, and an environment without a cloud."""

import os
import shutil
import socket
from pathlib import Path
from typing import Any

import pytest

from pipeline_steps import check_data, evaluate, export, package_model, train
from pipeline_steps import settings as settings_module
from pipeline_steps.aws import Clients
from pipeline_steps.settings import Settings
from tests.browser import browser

__all__ = ["browser"]  # a fixture of all tests

SHARED = Path(__file__).parents[2] / "shared"
REQUIRABLE = {
    "shared": "../shared",
    "browser": "a Chromium",
    "emulator": "aws-lambda-rie",
    "java": "Java",
}
FOREIGN_PREFIXES = (
    "AWS_", "GITHUB_", "RUNNER_", "SMTP_", "SAGEMAKER_", "SM_", "T5_", "MAIL_", "MLFLOW_",
)  # fmt: skip


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Clear cloud and CI variables, so that no test reads the machine it happens to run on."""
    for name in list(os.environ):
        if name.startswith(FOREIGN_PREFIXES):
            monkeypatch.delenv(name)


@pytest.fixture
def free_port() -> int:
    """A loopback port that nobody listens on."""
    return find_free_port()


def find_free_port() -> int:
    """A loopback port that nobody listens on, for fixtures of a wider scope."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def pytest_addoption(parser: pytest.Parser) -> None:
    """What CI passes, so that a test that needs more than the checkout is not skipped unseen."""
    for name, missing in REQUIRABLE.items():
        parser.addoption(f"--require-{name}", action="store_true", help=f"fail without {missing}")


@pytest.fixture(scope="session")
def shared(request: pytest.FixtureRequest) -> Path:
    """The folder of real data and models beside the checkout; the test is skipped without it."""
    if not SHARED.is_dir():
        reason = "needs ../shared (the real SST-2 and the stand-in backbone), which is not here"
        (pytest.fail if request.config.getoption("--require-shared") else pytest.skip)(reason)
    return SHARED


QUICK: dict[str, Any] = {
    "vocab_size": 600, "epochs": 1, "max_steps": 25, "evaluations_per_epoch": 1, "min_accuracy": 0,
}  # fmt: skip


@pytest.fixture(scope="session")
def packaged_once(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A build folder in which the demo profile went as far as `model.tar.gz`; read only."""
    settings = settings_module.load("demo", tmp_path_factory.mktemp("build"), QUICK)
    for step in (check_data, train, export, evaluate, package_model):
        step.run(settings, Clients())
    return settings.build_dir


@pytest.fixture(scope="session")
def candidates(packaged_once: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The packaged demo model as it would ship, by runtime; read only."""
    folder = tmp_path_factory.mktemp("pytorch")
    shutil.copytree(packaged_once, folder, dirs_exist_ok=True)
    settings = settings_module.load("demo", folder, QUICK | {"runtime": "pytorch"})
    export.run(settings, Clients())
    return {
        "onnx": packaged_once / "demo" / "candidate",
        "pytorch": settings.work_dir / "candidate",
    }


@pytest.fixture(scope="session")
def packaged_pytorch(candidates: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A build folder in which the demo profile went as far for PyTorch; read only."""
    folder = tmp_path_factory.mktemp("build-pytorch")
    shutil.copytree(candidates["pytorch"].parents[1], folder, dirs_exist_ok=True)
    settings = settings_module.load("demo", folder, QUICK | {"runtime": "pytorch"})
    for step in (evaluate, package_model):
        step.run(settings, Clients())
    return folder


@pytest.fixture
def packaged(packaged_once: Path, tmp_path: Path) -> Settings:
    """Settings of a packaged demo model in a folder of this test's own."""
    shutil.copytree(packaged_once, tmp_path / "build")
    return settings_module.load("demo", tmp_path / "build", QUICK)
