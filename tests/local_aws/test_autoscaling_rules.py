"""Scalable targets of the local AWS: what may be scaled, how far, and what an update may change."""

import uuid
from typing import Any

import pytest
from botocore.exceptions import ClientError

INSTANCES = "sagemaker:variant:DesiredInstanceCount"
PROVISIONED = "sagemaker:variant:DesiredProvisionedConcurrency"
POLICY = {
    "TargetValue": 0.7,
    "PredefinedMetricSpecification": {
        "PredefinedMetricType": "SageMakerVariantProvisionedConcurrencyUtilization"
    },
}
SERVERLESS = {"MemorySizeInMB": 2048, "MaxConcurrency": 4}
REALTIME = {"InstanceType": "ml.c6i.large", "InitialInstanceCount": 1}


def refused(words: str, code: str = "ValidationException") -> Any:
    """Expect an error `code` with `words`."""
    return pytest.raises(ClientError, match=rf"\({code}\).*{words}")


def config(kit: Any, name: str, model: str, variant: dict[str, Any]) -> str:
    """An EndpointConfig of `model` with the variant `all`."""
    kit.client("sagemaker").create_endpoint_config(
        EndpointConfigName=name,
        ProductionVariants=[{"VariantName": "all", "ModelName": model, **variant}],
    )
    return name


def place(endpoint: str, dimension: str = PROVISIONED) -> dict[str, str]:
    """What names a scalable target."""
    return {
        "ServiceNamespace": "sagemaker",
        "ResourceId": f"endpoint/{endpoint}/variant/all",
        "ScalableDimension": dimension,
    }


@pytest.fixture(scope="module")
def warm(kit: Any) -> str:
    """A serverless endpoint of which two are kept warm, four at most."""
    kit.create_model("warm", kit.upload_model("warm"))
    kit.create_config("warm", MaxConcurrency=4, ProvisionedConcurrency=2)
    kit.client("sagemaker").create_endpoint(EndpointName="warm", EndpointConfigName="warm")
    kit.endpoint_when("warm", "InService")
    return "warm"


@pytest.fixture(scope="module")
def realtime(kit: Any, warm: str) -> str:
    """An endpoint on instances."""
    config(kit, "realtime", warm, REALTIME)
    kit.client("sagemaker").create_endpoint(EndpointName="realtime", EndpointConfigName="realtime")
    kit.endpoint_when("realtime", "InService")
    return "realtime"


@pytest.fixture(scope="module")
def cold(kit: Any) -> str:
    """A serverless endpoint of which nothing is kept warm."""
    kit.create_endpoint("cold", "cold")
    return "cold"


@pytest.fixture
def scaling(kit: Any) -> Any:
    """Application Auto Scaling, without targets before and after."""
    client = kit.client("application-autoscaling")
    yield client
    for target in client.describe_scalable_targets(ServiceNamespace="sagemaker")["ScalableTargets"]:
        named = {name: target[name] for name in place("any")}
        client.deregister_scalable_target(**named)


def test_realtime_endpoint_answers(kit: Any, realtime: str) -> None:
    assert kit.invoke(realtime, "hello")["texts"] == ["hello"]
    (variant,) = kit.client("sagemaker").describe_endpoint(EndpointName=realtime)[
        "ProductionVariants"
    ]
    assert (variant["CurrentInstanceCount"], variant["DesiredInstanceCount"]) == (1, 1)


@pytest.mark.parametrize("dimension", [PROVISIONED, INSTANCES])
def test_target_is_told_back(scaling: Any, warm: str, realtime: str, dimension: str) -> None:
    where = place(warm if dimension == PROVISIONED else realtime, dimension)
    scaling.register_scalable_target(**where, MinCapacity=1, MaxCapacity=3)
    scaling.register_scalable_target(**where, MaxCapacity=2)
    (target,) = scaling.describe_scalable_targets(
        ServiceNamespace="sagemaker", ResourceIds=[where["ResourceId"]], ScalableDimension=dimension
    )["ScalableTargets"]
    assert (target["MinCapacity"], target["MaxCapacity"]) == (1, 2)


@pytest.mark.parametrize(
    ("where", "low", "high", "words"),
    [
        (place("nobody"), 1, 2, "Could not find endpoint"),
        (place("cold"), 1, 2, "has no ProvisionedConcurrency"),
        (place("cold", INSTANCES), 1, 2, "it is serverless"),
        (place("realtime"), 1, 2, "has no ProvisionedConcurrency"),
        (place("warm") | {"ResourceId": "endpoint/warm/variant/no"}, 1, 2, "Could not find var"),
        (place("warm") | {"ResourceId": "warm"}, 1, 2, "Unsupported service namespace"),
        (place("warm"), 0, 2, "at least 1"),
        (place("warm"), 3, 2, "not below it"),
        (place("warm"), 1, 5, "at most 4"),
    ],
)
@pytest.mark.usefixtures("warm", "cold", "realtime")
def test_unfit_target_is_refused(scaling: Any, where: Any, low: int, high: int, words: str) -> None:
    with refused(words):
        scaling.register_scalable_target(**where, MinCapacity=low, MaxCapacity=high)


def test_new_target_needs_limits(scaling: Any, warm: str) -> None:
    with refused("MinCapacity and MaxCapacity are required"):
        scaling.register_scalable_target(**place(warm), MinCapacity=1)


def test_policy_lives_with_target(scaling: Any, warm: str) -> None:
    policy: dict[str, Any] = {
        "PolicyName": "warm",
        "PolicyType": "TargetTrackingScaling",
        "TargetTrackingScalingPolicyConfiguration": POLICY,
    }
    with refused("No scalable target registered", code="ObjectNotFoundException"):
        scaling.put_scaling_policy(**place(warm), **policy)
    scaling.register_scalable_target(**place(warm), MinCapacity=1, MaxCapacity=2)
    scaling.put_scaling_policy(**place(warm), **policy)
    (found,) = scaling.describe_scaling_policies(**place(warm))["ScalingPolicies"]
    assert found["TargetTrackingScalingPolicyConfiguration"] == POLICY
    scaling.delete_scaling_policy(PolicyName="warm", **place(warm))
    with refused("No scaling policy", code="ObjectNotFoundException"):
        scaling.delete_scaling_policy(PolicyName="warm", **place(warm))
    scaling.put_scaling_policy(**place(warm), **policy)
    scaling.deregister_scalable_target(**place(warm))
    assert scaling.describe_scaling_policies(**place(warm))["ScalingPolicies"] == []
    with refused("No scalable target found", code="ObjectNotFoundException"):
        scaling.deregister_scalable_target(**place(warm))


def test_metric_of_another_dimension_refused(scaling: Any, realtime: str) -> None:
    where = place(realtime, INSTANCES)
    scaling.register_scalable_target(**where, MinCapacity=1, MaxCapacity=2)
    with refused("does not go with"):
        scaling.put_scaling_policy(
            **where,
            PolicyName="realtime",
            PolicyType="TargetTrackingScaling",
            TargetTrackingScalingPolicyConfiguration=POLICY,
        )


@pytest.mark.parametrize(
    ("where", "fresh"),
    [
        (place("realtime", INSTANCES), REALTIME | {"InstanceType": "ml.c6i.xlarge"}),
        (place("warm"), {"ServerlessConfig": SERVERLESS}),
    ],
    ids=["instance", "cold"],
)
def test_scaled_variant_keeps_its_kind(
    kit: Any, scaling: Any, realtime: str, where: dict[str, str], fresh: dict[str, Any]
) -> None:
    assert realtime
    name = config(kit, f"kind-{uuid.uuid4()}", "warm", fresh)
    scaling.register_scalable_target(**where, MinCapacity=1, MaxCapacity=2)
    with refused("must be deregistered as scalable targets"):
        kit.client("sagemaker").update_endpoint(
            EndpointName=where["ResourceId"].split("/")[1], EndpointConfigName=name
        )


def test_scaled_variant_may_change_model(kit: Any, scaling: Any, realtime: str) -> None:
    kit.create_model("fresh", kit.upload_model("fresh"))
    config(kit, "fresh", "fresh", REALTIME)
    scaling.register_scalable_target(**place(realtime, INSTANCES), MinCapacity=1, MaxCapacity=2)
    kit.client("sagemaker").update_endpoint(EndpointName=realtime, EndpointConfigName="fresh")
    with refused("must be InService"):
        scaling.register_scalable_target(**place(realtime, INSTANCES), MinCapacity=1, MaxCapacity=3)
    kit.endpoint_when(realtime, "InService")
    assert kit.invoke(realtime, "x")["model_version"] == "fresh"


def test_deleted_endpoint_is_deregistered(kit: Any, scaling: Any, warm: str) -> None:
    sagemaker = kit.client("sagemaker")
    sagemaker.create_endpoint(EndpointName="gone", EndpointConfigName=warm)
    kit.endpoint_when("gone", "InService")
    scaling.register_scalable_target(**place("gone"), MinCapacity=1, MaxCapacity=2)
    sagemaker.delete_endpoint(EndpointName="gone")
    assert scaling.describe_scalable_targets(ServiceNamespace="sagemaker")["ScalableTargets"] == []


def test_provisioned_within_concurrency(kit: Any, warm: str) -> None:
    serverless = {"MemorySizeInMB": 2048, "MaxConcurrency": 4, "ProvisionedConcurrency": 5}
    with refused("provisionedConcurrency.*less than or equal to 4"):
        config(kit, "limits", warm, {"ServerlessConfig": serverless})


def test_unknown_instance_is_refused(kit: Any, warm: str) -> None:
    with refused("ml.c99.large.*failed to satisfy constraint"):
        config(kit, "unknown", warm, REALTIME | {"InstanceType": "ml.c99.large"})


def test_realtime_stays_realtime(kit: Any, warm: str, realtime: str) -> None:
    sagemaker = kit.client("sagemaker")
    config(kit, "one-way", warm, REALTIME)
    with refused("cannot be updated to a serverless one"):
        sagemaker.update_endpoint(EndpointName=realtime, EndpointConfigName=warm)
    sagemaker.create_endpoint(EndpointName="one-way", EndpointConfigName=warm)
    kit.endpoint_when("one-way", "InService")
    sagemaker.update_endpoint(EndpointName="one-way", EndpointConfigName="one-way")
    kit.endpoint_when("one-way", "InService")
    with refused("cannot be updated to a serverless one"):
        sagemaker.update_endpoint(EndpointName="one-way", EndpointConfigName=warm)
