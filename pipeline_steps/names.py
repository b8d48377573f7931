"""The names of SageMaker's models and configurations: `<resource_name>-<version>-<digest>`."""

import re

from pipeline_steps.settings import Settings


def version_in(settings: Settings, name: str) -> str | None:
    """The model's version in a name that the pipeline gives; None where it is another's name."""
    # Staging's names begin with production's: only the whole pattern tells them apart.
    pattern = rf"{re.escape(settings.resource_name)}-([0-9a-z]{{12}})-[0-9a-z]{{8}}"
    found = re.fullmatch(pattern, name)
    return found[1] if found else None
