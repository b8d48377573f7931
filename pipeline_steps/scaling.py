"""How much of the endpoint is kept warm: Application Auto Scaling between a minimum and a maximum.

A serverless endpoint scales from 0 to `max_concurrency` by itself; this is about its provisioned
concurrency, or about the instances of a realtime endpoint.
https://docs.aws.amazon.com/sagemaker/latest/dg/serverless-endpoints-autoscale.html
"""

from typing import Any

from pipeline_steps.aws import Clients, delete
from pipeline_steps.endpoint import VARIANT
from pipeline_steps.settings import Settings

CONCURRENCY = "sagemaker:variant:DesiredProvisionedConcurrency"
INSTANCES = "sagemaker:variant:DesiredInstanceCount"
COOLDOWN_SECONDS = 300


def capacity(settings: Settings) -> dict[str, Any]:
    """The part of a production variant that says what it runs on."""
    deploy = settings.deploy
    if deploy.mode == "realtime":
        count = max(1, deploy.min_capacity)
        return {"InstanceType": deploy.instance_type, "InitialInstanceCount": count}
    serverless = {"MemorySizeInMB": deploy.memory_mb, "MaxConcurrency": deploy.max_concurrency}
    if deploy.max_capacity:
        serverless["ProvisionedConcurrency"] = max(1, deploy.min_capacity)
    return {"ServerlessConfig": serverless}


def pause(settings: Settings, clients: Clients) -> None:
    """Take the endpoint out of automatic scaling: an update may not go through while it is in.

    https://docs.aws.amazon.com/sagemaker/latest/dg/endpoint-scaling-update.html
    """
    for target in _targets(settings, clients.autoscaling):
        delete(
            clients.autoscaling.deregister_scalable_target,
            ServiceNamespace="sagemaker",
            ResourceId=target["ResourceId"],
            ScalableDimension=target["ScalableDimension"],
        )


def resume(settings: Settings, clients: Clients, config: str) -> None:
    """Scale the endpoint, which serves `config`, as the settings say, or not at all."""
    found = clients.sagemaker.describe_endpoint_config(EndpointConfigName=config)
    variant = found["ProductionVariants"][0]
    dimension = INSTANCES if "InstanceType" in variant else CONCURRENCY
    warm = "InstanceType" in variant or "ProvisionedConcurrency" in variant["ServerlessConfig"]
    low, high = max(1, settings.deploy.min_capacity), settings.deploy.max_capacity
    if "ServerlessConfig" in variant:  # an older release may allow less at once
        high = min(high, variant["ServerlessConfig"]["MaxConcurrency"])
    if not warm or low >= high:
        pause(settings, clients)
        return
    target = {
        "ServiceNamespace": "sagemaker",
        "ResourceId": _resource(settings),
        "ScalableDimension": dimension,
    }
    clients.autoscaling.register_scalable_target(**target, MinCapacity=low, MaxCapacity=high)
    clients.autoscaling.put_scaling_policy(
        **target,
        PolicyName=settings.resource_name,
        PolicyType="TargetTrackingScaling",
        TargetTrackingScalingPolicyConfiguration=_policy(settings, dimension),
    )


def _policy(settings: Settings, dimension: str) -> dict[str, Any]:
    concurrency = dimension == CONCURRENCY
    metric = (
        "SageMakerVariantProvisionedConcurrencyUtilization"
        if concurrency
        else "SageMakerVariantInvocationsPerInstance"
    )
    deploy = settings.deploy
    return {
        "TargetValue": float(
            deploy.target_utilization if concurrency else deploy.target_invocations
        ),
        "PredefinedMetricSpecification": {"PredefinedMetricType": metric},
        "ScaleInCooldown": COOLDOWN_SECONDS,
    }


def _resource(settings: Settings) -> str:
    return f"endpoint/{settings.resource_name}/variant/{VARIANT}"


def _targets(settings: Settings, autoscaling: Any) -> list[dict[str, Any]]:
    found = autoscaling.describe_scalable_targets(
        ServiceNamespace="sagemaker", ResourceIds=[_resource(settings)]
    )
    return list(found["ScalableTargets"])
