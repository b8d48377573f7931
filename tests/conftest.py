"""What every test shares: the folder of real data, and an environment without a cloud."""

import os
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


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of real data and models beside the checkout; the test is skipped without it."""
    if not SHARED.is_dir():
        pytest.skip("needs ../shared (the real SST-2 and the stand-in backbone), which is not here")
    return SHARED
