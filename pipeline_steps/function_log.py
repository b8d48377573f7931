"""The log group of an environment's function: made before the function writes its first line.

Lambda would make it with the first request and keep all of it for ever; and the function's role may
not make one.
"""

import contextlib
from typing import Any

from pipeline_steps.settings import Settings

RETENTION_DAYS = 30


def group_name(settings: Settings) -> str:
    """The name that Lambda gives it."""
    return f"/aws/lambda/{settings.resource_name}"


def keep(settings: Settings, logs: Any) -> None:
    """Have the group there, with a limit to what it keeps."""
    name = group_name(settings)
    with contextlib.suppress(logs.exceptions.ResourceAlreadyExistsException):
        logs.create_log_group(logGroupName=name, tags=settings.tags)
    logs.put_retention_policy(logGroupName=name, retentionInDays=RETENTION_DAYS)
