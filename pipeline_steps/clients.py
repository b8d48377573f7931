"""boto3 clients with timeouts and bounded retries, each made when it is first used."""

from functools import cached_property
from typing import Any

from pipeline_steps.errors import ConfigurationError

TRIES = 5
CONNECT_SECONDS = 5
READ_SECONDS = 60


class Clients:
    """The AWS services that the steps call, each client made when it is first used."""

    def _client(self, service: str) -> Any:
        # What asks AWS for nothing, a mail by SMTP for one, needs no boto3.
        import boto3  # noqa: PLC0415
        from botocore.config import Config  # noqa: PLC0415
        from botocore.exceptions import NoRegionError  # noqa: PLC0415

        config = Config(
            retries={"mode": "standard", "max_attempts": TRIES},
            connect_timeout=CONNECT_SECONDS,
            read_timeout=READ_SECONDS,
        )
        try:
            return boto3.client(service, config=config)
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
    def autoscaling(self) -> Any:
        """Application Auto Scaling."""
        return self._client("application-autoscaling")

    @cached_property
    def cloudwatch(self) -> Any:
        """CloudWatch: alarms and dashboards."""
        return self._client("cloudwatch")

    @cached_property
    def logs(self) -> Any:
        """CloudWatch Logs."""
        return self._client("logs")

    @cached_property
    def tagging(self) -> Any:
        """The Resource Groups Tagging API, which finds resources by their tags."""
        return self._client("resourcegroupstaggingapi")

    @cached_property
    def cloudformation(self) -> Any:
        """CloudFormation."""
        return self._client("cloudformation")

    @cached_property
    def iam(self) -> Any:
        """Identity and Access Management."""
        return self._client("iam")

    @cached_property
    def ecr(self) -> Any:
        """Amazon Elastic Container Registry."""
        return self._client("ecr")

    @cached_property
    def sts(self) -> Any:
        """Security Token Service."""
        return self._client("sts")

    @cached_property
    def ses(self) -> Any:
        """Amazon SES v2."""
        return self._client("sesv2")
