"""boto3 clients with timeouts and bounded retries, and AWS's errors in our words."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property
from typing import Any

import boto3
from boto3.exceptions import Boto3Error
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError, NoCredentialsError, NoRegionError

from pipeline_steps.errors import ConfigurationError, PipelineError

CONFIG = Config(
    retries={"mode": "standard", "max_attempts": 5},
    connect_timeout=5,  # seconds
    read_timeout=60,  # seconds
)
ADVICE = {
    "AccessDenied": "The role in use must be allowed this action on this resource.",
    "AccessDeniedException": "The role in use must be allowed this action on this resource.",
    "ExpiredToken": "Log in to AWS again and run the same command: it goes on where it ended.",
    "ExpiredTokenException": "Log in to AWS again and run the same command.",
    "ResourceLimitExceeded": "Ask for a higher limit in the Service Quotas console.",
    "ThrottlingException": "AWS is throttling this account; run the same command again later.",
}
MISSING_CODES = {
    "ResourceNotFoundException",
    "NotFoundException",
    "NoSuchKey",
    "NoSuchBucket",
    "404",
}


class Clients:
    """The AWS services that the steps call, each client made when it is first used."""

    def _client(self, service: str) -> Any:
        try:
            return boto3.client(service, config=CONFIG)
        except NoRegionError as error:
            raise ConfigurationError(
                "No AWS region is set. Set AWS_REGION, for example AWS_DEFAULT_REGION=us-east-1, "
                "or run against this machine: python -m local_aws run -- COMMAND."
            ) from error

    @cached_property
    def s3(self) -> Any:
        """Amazon S3."""
        return self._client("s3")

    @cached_property
    def sagemaker(self) -> Any:
        """Amazon SageMaker's control plane."""
        return self._client("sagemaker")

    @cached_property
    def lambda_(self) -> Any:
        """AWS Lambda."""
        return self._client("lambda")

    @cached_property
    def apigateway(self) -> Any:
        """API Gateway v2: HTTP APIs."""
        return self._client("apigatewayv2")

    @cached_property
    def ses(self) -> Any:
        """Amazon SES v2."""
        return self._client("sesv2")


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
    except ClientError as error:
        code, message = error.response["Error"]["Code"], error.response["Error"]["Message"]
        advice = ADVICE.get(code, "Nothing else was changed; mend the cause and run it again.")
        raise kind(f"{doing}: {error.operation_name} failed: {code}: {message} {advice}") from error
    except (BotoCoreError, Boto3Error) as error:
        raise kind(f"{doing}: {error} Run the same command again.") from error


def is_missing(error: ClientError) -> bool:
    """Whether AWS says that the thing asked for does not exist.

    SageMaker has no code of its own for that: it is a ValidationException that says so.
    """
    code, message = error.response["Error"]["Code"], error.response["Error"]["Message"]
    said = message.lower().startswith("could not find") or "does not exist" in message.lower()
    return code in MISSING_CODES or (code == "ValidationException" and said)


def find(call: Any, **arguments: Any) -> dict[str, Any] | None:
    """The answer of a describe call, or None where the thing does not exist."""
    try:
        answer: dict[str, Any] = call(**arguments)
    except ClientError as error:
        if is_missing(error):
            return None
        raise
    return answer
