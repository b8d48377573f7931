"""A name says whose it is and which model; a name alike is another's."""

import pytest

from pipeline_steps import settings as settings_module
from pipeline_steps.names import version_in

PRODUCTION = settings_module.load("demo", overrides={"name": "t5.x"})
STAGING = PRODUCTION.in_environment("staging")


def test_version_is_read_from_a_name() -> None:
    assert version_in(PRODUCTION, "t5.x-0123456789ab-01234567") == "0123456789ab"
    assert version_in(STAGING, "t5.x-staging-0123456789ab-01234567") == "0123456789ab"


@pytest.mark.parametrize(
    "name",
    [
        "t5.x-staging-0123456789ab-01234567",
        "t5.x-another-0123456789ab-01234567",
        "t5.x-0123456789ab-01234567-old",
        "t5.x-0123456789ab-0123456",
        "t5-x-0123456789ab-01234567",
        "t5.x",
    ],
)
def test_names_alike_are_not_ours(name: str) -> None:
    assert version_in(PRODUCTION, name) is None
