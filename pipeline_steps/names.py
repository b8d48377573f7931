"""The names of what is made in SageMaker: `<resource_name>-<version>-<digest>`."""

import re
from typing import Any

from pipeline_steps.errors import ConfigurationError
from pipeline_steps.files import hash_of
from pipeline_steps.settings import Settings

MAX_NAME = 63  # characters of a Model, EndpointConfig, Endpoint or TrainingJob name


def name_of(settings: Settings, resource_name: str, version: str, content: Any) -> str:
    """A name that says which model it is about, and by a digest what else it is made of.

    Raises:
        ConfigurationError: it is longer than SageMaker allows.
    """
    name = f"{resource_name}-{version}-{hash_of(content)[:8]}"
    if len(name) > MAX_NAME:
        raise ConfigurationError(
            f"The resource name {name!r} has {len(name)} characters, SageMaker allows {MAX_NAME}. "
            f"Choose a shorter name in [{settings.profile}.deploy]."
        )
    return name


def version_in(settings: Settings, name: str) -> str | None:
    """The model's version in a name that the pipeline gives; None where it is another's name."""
    # Staging's names begin with production's: only the whole pattern tells them apart.
    pattern = rf"{re.escape(settings.resource_name)}-([0-9a-z]{{12}})-[0-9a-z]{{8}}"
    found = re.fullmatch(pattern, name)
    return found[1] if found else None
