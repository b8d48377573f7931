"""The log groups of an environment: made before the first line is written, each kept for a month.

The function's would be made by Lambda with the first request and keep all of it for ever, and the
function's role may not make one. API Gateway writes to a group that is there, or to none.
"""

import contextlib
from typing import Any

from pipeline_steps.settings import Settings

RETENTION_DAYS = 30


def of_function(name: str) -> str:
    """The group of the function `name`, as Lambda calls it."""
    return f"/aws/lambda/{name}"


def of_api(name: str) -> str:
    """The access log of the API `name`.

    The prefix keeps AWS's resource policy for log deliveries short:
    https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/AWS-logs-and-resource-policy.html
    """
    return f"/aws/vendedlogs/http-api/{name}"


def keep(settings: Settings, logs: Any) -> None:
    """Have the groups there, with a limit to what they keep."""
    for name in (of_function(settings.resource_name), of_api(settings.resource_name)):
        with contextlib.suppress(logs.exceptions.ResourceAlreadyExistsException):
            logs.create_log_group(logGroupName=name, tags=settings.tags)
        logs.put_retention_policy(logGroupName=name, retentionInDays=RETENTION_DAYS)
