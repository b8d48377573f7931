"""All that a release leaves in AWS, for all tests that take it away."""

import io
import zipfile
from pathlib import Path
from typing import Any

import botocore.awsrequest

from local_aws.server import BUCKET
from pipeline_steps import (
    inventory,
    releases,
)
from pipeline_steps.aws import Clients
from pipeline_steps.release_artefacts import ReleaseRecord
from pipeline_steps.setting_groups import Environment
from pipeline_steps.settings import Settings

VERSION = "0123456789ab"
KINDS = {
    "HTTP API", "function", "alarm", "dashboard", "scalable target", "endpoint",
    "endpoint configuration", "model", "log group",
}  # fmt: skip


def pairs(tags: dict[str, str]) -> list[dict[str, str]]:
    """Tags as most services want them."""
    return [{"Key": key, "Value": value} for key, value in tags.items()]


class Release:
    """All that a release leaves in AWS, made in the shape that the steps give it."""

    def __init__(self, settings: Settings, clients: Clients, tarball: Path) -> None:
        self.settings, self.clients, self.name = settings, clients, settings.resource_name
        self.tags = settings.tags | {"model_version": VERSION}
        self.key = f"{settings.deploy.name}/{VERSION}/0123456789abcdef/model.tar.gz"
        clients.s3.upload_file(str(tarball), BUCKET, self.key)
        self._record("2026-01-01T00:00:00Z")
        self._record("2026-01-02T00:00:00Z")
        self._make_endpoint()
        self._make_api()
        self._make_watch()
        self._make_package()

    def _record(self, moment: str) -> None:
        made = ReleaseRecord(
            released_at=moment, reason="release", model_version=VERSION, endpoint_name=self.name,
            endpoint_config_name=f"{self.name}-{VERSION}-{moment[8:10]}", function_version="1",
            model_data_url=f"s3://{BUCKET}/{self.key}", tarball_sha256="f" * 64,
            model_package_arn="arn", git={}, replaced=None,
        )  # fmt: skip
        releases.record(self.settings, self.clients, made)

    def _make_endpoint(self) -> None:
        sagemaker, config = self.clients.sagemaker, f"{self.name}-{VERSION}-01234567"
        sagemaker.create_model(
            ModelName=config,
            PrimaryContainer={"Image": "any", "ModelDataUrl": f"s3://{BUCKET}/{self.key}"},
            ExecutionRoleArn=self.settings.deploy.sagemaker_role_arn,
            Tags=pairs(self.tags),
        )
        serverless = {"MemorySizeInMB": 2048, "MaxConcurrency": 5, "ProvisionedConcurrency": 1}
        variant = {"VariantName": "AllTraffic", "ModelName": config, "ServerlessConfig": serverless}
        sagemaker.create_endpoint_config(EndpointConfigName=config, ProductionVariants=[variant])
        sagemaker.create_endpoint(
            EndpointName=self.name, EndpointConfigName=config, Tags=pairs(self.tags)
        )
        sagemaker.get_waiter("endpoint_in_service").wait(
            EndpointName=self.name, WaiterConfig={"Delay": 0.05, "MaxAttempts": 400}
        )
        self.clients.autoscaling.register_scalable_target(
            ServiceNamespace="sagemaker",
            ResourceId=f"endpoint/{self.name}/variant/AllTraffic",
            ScalableDimension="sagemaker:variant:DesiredProvisionedConcurrency",
            MinCapacity=1,
            MaxCapacity=2,
        )

    def _make_api(self) -> None:
        self.clients.lambda_.create_function(
            FunctionName=self.name,
            Runtime="python3.13",
            Role=self.settings.deploy.lambda_role_arn,
            Handler="handler.handler",
            Code={"ZipFile": zip_of("def handler(event, context): return {}")},
            Tags=self.settings.tags,
        )
        self.clients.apigateway.create_api(
            Name=self.name, ProtocolType="HTTP", Tags=self.settings.tags
        )

    def _make_watch(self) -> None:
        for alarm in ("errors", "latency"):
            self.clients.cloudwatch.put_metric_alarm(
                AlarmName=f"{self.name}-{alarm}", Namespace="n", MetricName="m", Statistic="Sum",
                Period=60, EvaluationPeriods=1, Threshold=1, Tags=pairs(self.settings.tags),
                ComparisonOperator="GreaterThanThreshold",
            )  # fmt: skip
        self.clients.cloudwatch.put_dashboard(
            DashboardName=self.name, DashboardBody='{"widgets": []}'
        )
        # As Lambda and SageMaker make them: without tags.
        for group in (f"/aws/lambda/{self.name}", f"/aws/sagemaker/Endpoints/{self.name}"):
            self.clients.logs.create_log_group(logGroupName=group)

    def _make_package(self) -> None:
        sagemaker, group = self.clients.sagemaker, self.settings.deploy.name
        if not sagemaker.list_model_package_groups(NameContains=group)[
            "ModelPackageGroupSummaryList"
        ]:
            tags = {key: value for key, value in self.tags.items() if key in ("project", "name")}
            sagemaker.create_model_package_group(ModelPackageGroupName=group, Tags=pairs(tags))
        container = {"Image": "any", "ModelDataUrl": f"s3://{BUCKET}/{self.key}"}
        sagemaker.create_model_package(
            ModelPackageGroupName=group,
            InferenceSpecification={
                "Containers": [container],
                "SupportedContentTypes": ["application/json"],
                "SupportedResponseMIMETypes": ["application/json"],
            },
        )


def zip_of(code: str) -> bytes:
    """A function's package of one module."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as package:
        package.writestr("handler.py", code)
    return buffer.getvalue()


def kinds_left(settings: Settings, clients: Clients, environment: Environment) -> set[str]:
    """The kinds of what an environment still has."""
    found = inventory.of_environment(settings.in_environment(environment), clients)
    return {resource.kind for resource in found}


def objects(clients: Clients) -> list[str]:
    """All versions of all objects in the bucket."""
    found = clients.s3.list_object_versions(Bucket=BUCKET)
    return [item["Key"] for item in [*found.get("Versions", []), *found.get("DeleteMarkers", [])]]


def denied() -> Any:
    """An answer of AWS to a role that may not."""
    body = b'{"__type": "AccessDeniedException", "message": "no"}'
    raw = io.BytesIO(body)
    raw.stream = lambda **_: iter([body])  # type: ignore[attr-defined]
    return botocore.awsrequest.AWSResponse("http://local", 400, {}, raw)
