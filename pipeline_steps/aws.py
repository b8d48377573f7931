"""AWS's errors in our words, and calls that may be made twice."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from boto3.exceptions import Boto3Error
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    NoCredentialsError,
    WaiterError,
)

from pipeline_steps.clients import Clients  # noqa: F401 - beside the errors that they meet
from pipeline_steps.errors import ConfigurationError, PipelineError

GOES_ON = "Run the same command again: it goes on where it ended."
DENIED = "The role in use must be allowed this action on this resource (infra/bootstrap.yaml)."
THROTTLED = f"AWS throttles this account. {GOES_ON}"
BROKEN = f"AWS had an error of its own. {GOES_ON}"
QUOTA = "Ask for more of the quota that it names in the Service Quotas console of this region."
EXPIRED = f"Log in to AWS again. {GOES_ON}"
ADVICE = {
    **dict.fromkeys(("AccessDenied", "AccessDeniedException", "403"), DENIED),
    **dict.fromkeys(("ExpiredToken", "ExpiredTokenException"), EXPIRED),
    **dict.fromkeys(
        (
            *("Throttling", "ThrottlingException", "RequestLimitExceeded"),
            *("TooManyRequestsException", "SlowDown"),
        ),
        THROTTLED,
    ),
    **dict.fromkeys(
        (
            *("InternalError", "InternalFailure", "InternalServerError", "ServiceException"),
            *("ServiceUnavailable", "ServiceUnavailableException", "500", "503"),
        ),
        BROKEN,
    ),
    **dict.fromkeys(
        (
            *("CodeStorageExceededException", "LimitExceededException", "LimitExceeded"),
            *("LimitExceededFault", "ServiceQuotaExceededException"),
        ),
        QUOTA,
    ),
    "ResourceLimitExceeded": (
        f"{QUOTA} Or need less of it: --memory-mb, --max-concurrency, --max-capacity; an account "
        "without serverless endpoints can use --mode realtime under another --name."
    ),
}
EXISTING_CODES = {
    "ResourceConflictException",
    "ConflictException",
    "ResourceInUse",
    "PreconditionFailed",  # of an object that is written once
}
MISSING_CODES = {
    "ResourceNotFoundException",
    "NotFoundException",
    "NoSuchKey",
    "NoSuchBucket",
    "404",
    # Application Auto Scaling, CloudWatch and ECR have words of their own.
    "ObjectNotFoundException",
    "ResourceNotFound",
    "DashboardNotFoundError",
    "ImageNotFoundException",
}


@contextmanager
def aws_errors(kind: type[PipelineError], doing: str) -> Iterator[None]:
    """Turn what AWS refuses inside the block into a `kind` that names the call and what to do."""
    try:
        yield
    except NoCredentialsError as error:
        raise ConfigurationError(
            f"{doing}: no AWS credentials were found. Log in, or run against this machine: "
            "python -m local_aws run -- COMMAND."
        ) from error
    except (ClientError, BotoCoreError, Boto3Error) as error:
        # What an upload failed of stands behind boto3's own error.
        refused = error if isinstance(error, ClientError) else error.__context__
        if not isinstance(refused, ClientError):
            raise kind(f"{doing}: {error} {GOES_ON}") from error
        code, message = refused.response["Error"]["Code"], refused.response["Error"]["Message"]
        advice = ADVICE.get(code, f"Mend the cause. {GOES_ON}")
        said = f"{refused.operation_name} failed: {code}: {message}"
        raise kind(f"{doing}: {said} {advice}") from error


def wait(client: Any, state: str, seconds: float, poll: float, **arguments: Any) -> None:
    """Wait with the waiter `state` for at most `seconds`, looking every `poll` seconds.

    Raises:
        ClientError: AWS refused to tell; names the call, which botocore's waiters do not.
        WaiterError: the time ran out, or what is waited for has failed.
    """
    waiter = client.get_waiter(state)
    polling = {"Delay": poll, "MaxAttempts": max(1, int(seconds / poll))}
    try:
        waiter.wait(WaiterConfig=polling, **arguments)
    except WaiterError as error:
        if "Error" in error.last_response:
            raise ClientError(error.last_response, waiter.config.operation) from error
        raise


def is_missing(error: ClientError) -> bool:
    """Whether AWS says that the thing asked for does not exist.

    SageMaker has no code of its own for that: it is a ValidationException that says so.
    """
    code, message = error.response["Error"]["Code"], error.response["Error"]["Message"]
    words = message.lower()
    said = words.startswith(("could not find", "requested resource not found"))
    said = said or "does not exist" in words
    return code in MISSING_CODES or (code == "ValidationException" and said)


def exists_already(error: ClientError) -> bool:
    """Whether AWS says that what should be created is there: ours, after a lost answer, or not.

    SageMaker has no code of its own for that either.
    """
    code, message = error.response["Error"]["Code"], error.response["Error"]["Message"].lower()
    return code in EXISTING_CODES or (code == "ValidationException" and "already exist" in message)


def create(call: Any, **arguments: Any) -> bool:
    """Create something unless it is there; gives whether this call made it.

    A call whose answer was lost is sent again by botocore, and then finds its own work.
    """
    try:
        call(**arguments)
    except ClientError as error:
        if exists_already(error):
            return False
        raise
    return True


def delete(call: Any, **arguments: Any) -> None:
    """Delete something unless it is gone: the first of two calls may have lost its answer."""
    find(call, **arguments)


def when_role_is_usable(call: Callable[[], Any], timeout: float, poll: float) -> Any:
    """Make `call`, again and again for `timeout` seconds while its new role is not yet known.

    IAM takes some seconds to tell the other services:
    https://docs.aws.amazon.com/IAM/latest/UserGuide/troubleshoot_general.html
    """
    deadline = time.monotonic() + timeout
    while True:
        try:
            return call()
        except ClientError as error:
            message = error.response["Error"]["Message"].lower()
            unknown = "could not assume role" in message or "cannot be assumed" in message
            if not unknown or time.monotonic() + poll > deadline:
                raise
            time.sleep(poll)


def find(call: Any, **arguments: Any) -> dict[str, Any] | None:
    """The answer of a describe call, or None where the thing does not exist."""
    try:
        answer: dict[str, Any] = call(**arguments)
    except ClientError as error:
        if is_missing(error):
            return None
        raise
    return answer
