"""An endpoint in any state is brought to its end, or it is told why not."""

import dataclasses
from collections.abc import Callable
from typing import Any

import pytest

from local_aws.server import BUCKET
from pipeline_steps import (
    teardown,
)
from pipeline_steps.aws import Clients
from pipeline_steps.errors import DeployError
from pipeline_steps.setting_groups import Environment
from pipeline_steps.settings import Settings
from tests.pipeline_steps.released import (
    VERSION,
    Release,
    pairs,
)


def test_busy_endpoint_is_waited_for(
    settings: Settings, clients: Clients, released: Callable[[Environment], Release]
) -> None:
    made = released("production")
    found = clients.autoscaling.describe_scalable_targets(ServiceNamespace="sagemaker")
    for target in found["ScalableTargets"]:
        where = ("ServiceNamespace", "ResourceId", "ScalableDimension")
        clients.autoscaling.deregister_scalable_target(**{key: target[key] for key in where})
    clients.sagemaker.update_endpoint(
        EndpointName=made.name, EndpointConfigName=f"{made.name}-{VERSION}-01234567"
    )
    outcome = teardown.run(settings, clients, confirmed=made.name)
    assert outcome.status == "done"


def test_failing_endpoint_is_deleted(
    settings: Settings, clients: Clients, release: Callable[..., Settings]
) -> None:
    broken = release("brokenbroken")
    clients.s3.upload_file(str(broken.work_dir / "model.tar.gz"), BUCKET, "broken.tar.gz")
    name = f"{settings.resource_name}-brokenbroken-01234567"
    clients.sagemaker.create_model(
        ModelName=name,
        PrimaryContainer={"Image": "any", "ModelDataUrl": f"s3://{BUCKET}/broken.tar.gz"},
        ExecutionRoleArn=settings.deploy.sagemaker_role_arn,
    )
    serverless = {"MemorySizeInMB": 2048, "MaxConcurrency": 5}
    variant = {"VariantName": "AllTraffic", "ModelName": name, "ServerlessConfig": serverless}
    clients.sagemaker.create_endpoint_config(EndpointConfigName=name, ProductionVariants=[variant])
    clients.sagemaker.create_endpoint(
        EndpointName=settings.resource_name, EndpointConfigName=name, Tags=pairs(settings.tags)
    )
    outcome = teardown.run(settings, clients, confirmed=settings.deploy.name)
    assert outcome.detail.startswith("3 deleted")


def test_stuck_endpoint_is_told(
    settings: Settings,
    clients: Clients,
    released: Callable[[Environment], Release],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    made = released("production")
    describe = clients.sagemaker.describe_endpoint
    monkeypatch.setattr(
        clients.sagemaker,
        "describe_endpoint",
        lambda **named: describe(**named) | {"EndpointStatus": "Updating"},
    )
    hasty = dataclasses.replace(
        settings, deploy=dataclasses.replace(settings.deploy, endpoint_timeout=1, poll_seconds=0.5)
    )
    with pytest.raises(DeployError, match=r"is Updating after 1 s: .*--endpoint-timeout"):
        teardown.run(hasty, clients, confirmed=made.name)


def test_stale_look_at_a_deleted_endpoint(
    settings: Settings,
    clients: Clients,
    released: Callable[[Environment], Release],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    made = released("production")
    describe, delete = clients.sagemaker.describe_endpoint, clients.sagemaker.delete_endpoint
    stale: list[dict[str, Any]] = []

    def deleting(**named: Any) -> None:
        stale.append(describe(**named) | {"EndpointStatus": "Failed"})
        delete(**named)

    monkeypatch.setattr(clients.sagemaker, "delete_endpoint", deleting)
    monkeypatch.setattr(
        clients.sagemaker,
        "describe_endpoint",
        lambda **named: stale.pop() if stale else describe(**named),
    )
    assert teardown.run(settings, clients, confirmed=made.name).status == "done"
