"""What is kept warm: provisioned concurrency or instances, between a minimum and a maximum."""

from collections.abc import Callable
from typing import Any

import pytest

from pipeline_steps import deploy_endpoint, scaling
from pipeline_steps.aws import Clients
from pipeline_steps.errors import ConfigurationError
from pipeline_steps.settings import Settings

Make = Callable[..., Settings]


def targets() -> list[dict[str, Any]]:
    """What is registered for automatic scaling: its dimension, minimum and maximum."""
    found = Clients().autoscaling.describe_scalable_targets(ServiceNamespace="sagemaker")
    return [
        {key: target[key] for key in ("ScalableDimension", "MinCapacity", "MaxCapacity")}
        for target in found["ScalableTargets"]
    ]


def variant(settings: Settings) -> dict[str, Any]:
    sagemaker = Clients().sagemaker
    endpoint = sagemaker.describe_endpoint(EndpointName=settings.resource_name)
    config = sagemaker.describe_endpoint_config(EndpointConfigName=endpoint["EndpointConfigName"])
    found: dict[str, Any] = config["ProductionVariants"][0]
    return found


def test_nothing_is_kept_warm_by_default(release: Make) -> None:
    deploy_endpoint.run(release(), Clients())
    assert targets() == []


def test_provisioned_concurrency_follows_the_load(release: Make) -> None:
    settings = release(min_capacity=1, max_capacity=3)
    deploy_endpoint.run(settings, Clients())
    assert variant(settings)["ServerlessConfig"]["ProvisionedConcurrency"] == 1
    assert targets() == [
        {
            "ScalableDimension": "sagemaker:variant:DesiredProvisionedConcurrency",
            "MinCapacity": 1,
            "MaxCapacity": 3,
        }
    ]
    (policy,) = Clients().autoscaling.describe_scaling_policies(ServiceNamespace="sagemaker")[
        "ScalingPolicies"
    ]
    assert policy["TargetTrackingScalingPolicyConfiguration"]["TargetValue"] == 0.7
    # AND a run that changes nothing keeps it so
    assert deploy_endpoint.run(settings, Clients()).status == "reused"
    assert len(targets()) == 1


def test_fixed_warm_capacity_needs_no_scaling(release: Make) -> None:
    settings = release(min_capacity=2, max_capacity=2)
    deploy_endpoint.run(settings, Clients())
    assert variant(settings)["ServerlessConfig"]["ProvisionedConcurrency"] == 2
    assert targets() == []


def test_warm_capacity_can_be_given_up(release: Make) -> None:
    deploy_endpoint.run(release(min_capacity=1, max_capacity=3), Clients())
    settings = release()
    deploy_endpoint.run(settings, Clients())
    assert "ProvisionedConcurrency" not in variant(settings)["ServerlessConfig"]
    assert targets() == []


def test_failed_update_keeps_scaling_the_old_one(release: Make) -> None:
    deploy_endpoint.run(release("aaaaaaaaaaaa", min_capacity=1, max_capacity=3), Clients())
    with pytest.raises(deploy_endpoint.DeployError, match="still serves"):
        deploy_endpoint.run(release("broken000000", min_capacity=1, max_capacity=3), Clients())
    assert len(targets()) == 1


def test_realtime_endpoint_scales_its_instances(release: Make) -> None:
    settings = release(mode="realtime", max_capacity=4)
    deploy_endpoint.run(settings, Clients())
    found = variant(settings)
    assert (found["InstanceType"], found["InitialInstanceCount"]) == ("ml.c6i.large", 1)
    assert targets() == [
        {
            "ScalableDimension": "sagemaker:variant:DesiredInstanceCount",
            "MinCapacity": 1,
            "MaxCapacity": 4,
        }
    ]


@pytest.mark.parametrize(
    ("was", "becomes"), [("serverless", "realtime"), ("realtime", "serverless")]
)
def test_kind_cannot_change_under_way(release: Make, was: str, becomes: str) -> None:
    settings = release(mode=was, min_capacity=1, max_capacity=2)
    deploy_endpoint.run(settings, Clients())
    before = targets()
    with pytest.raises(ConfigurationError, match=f"is {was}.*could not be undone.*--name"):
        deploy_endpoint.run(release("bbbbbbbbbbbb", mode=becomes), Clients())
    assert (targets(), len(before)) == (before, 1)


def test_older_release_allows_less_at_once(release: Make) -> None:
    settings = release(max_concurrency=2, min_capacity=1, max_capacity=2)
    deploy_endpoint.run(settings, Clients())
    endpoint = Clients().sagemaker.describe_endpoint(EndpointName=settings.resource_name)
    later = release(max_concurrency=5, min_capacity=1, max_capacity=5)
    scaling.resume(later, Clients(), endpoint["EndpointConfigName"])
    assert targets()[0]["MaxCapacity"] == 2


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        ({"min_capacity": 3, "max_capacity": 2}, "min_capacity is 3, expected at most"),
        ({"max_capacity": 6}, "max_capacity is 6, expected 0 to 5"),
    ],
)
def test_impossible_capacity_is_told(
    release: Make, overrides: dict[str, int], message: str
) -> None:
    with pytest.raises(ConfigurationError, match=message):
        release(**overrides)
