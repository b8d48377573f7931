"""What every test shares: the folder of real data, and an environment without a cloud."""

import os
import socket
from pathlib import Path

import pytest

SHARED = Path(__file__).parents[2] / "shared"
FOREIGN_PREFIXES = ("AWS_", "GITHUB_", "RUNNER_", "SMTP_", "SAGEMAKER_", "SM_", "T5_", "MAIL_")


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Clear cloud and CI variables, so that no test reads the machine it happens to run on."""
    for name in list(os.environ):
        if name.startswith(FOREIGN_PREFIXES):
            monkeypatch.delenv(name)


@pytest.fixture
def free_port() -> int:
    """A loopback port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def pytest_addoption(parser: pytest.Parser) -> None:
    """`--require-shared`: what CI passes where the real data is there."""
    parser.addoption(
        "--require-shared", action="store_true", help="fail, not skip, without ../shared"
    )


@pytest.fixture(scope="session")
def shared(request: pytest.FixtureRequest) -> Path:
    """The folder of real data and models beside the checkout; the test is skipped without it."""
    if not SHARED.is_dir():
        reason = "needs ../shared (the real SST-2 and the stand-in backbone), which is not here"
        (pytest.fail if request.config.getoption("--require-shared") else pytest.skip)(reason)
    return SHARED
