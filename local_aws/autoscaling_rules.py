"""Application Auto Scaling of SageMaker endpoints, as strict as AWS.

https://docs.aws.amazon.com/sagemaker/latest/dg/endpoint-auto-scaling.html
https://docs.aws.amazon.com/sagemaker/latest/dg/serverless-endpoints-autoscale.html
"""

from enum import Enum
from typing import Any

from moto.applicationautoscaling import models, responses
from moto.applicationautoscaling.exceptions import AWSValidationException
from moto.applicationautoscaling.models import (
    ApplicationAutoscalingBackend,
    FakeScalableTarget,
    applicationautoscaling_backends,
)
from moto.core.exceptions import JsonRESTError
from moto.sagemaker.exceptions import ValidationError
from moto.sagemaker.models import FakeEndpoint, SageMakerModelBackend, sagemaker_backends

from local_aws.moto_patches import Patches

NAMESPACE = "sagemaker"
INSTANCES = "sagemaker:variant:DesiredInstanceCount"
PROVISIONED = "sagemaker:variant:DesiredProvisionedConcurrency"
METRICS = {
    INSTANCES: {
        "SageMakerVariantInvocationsPerInstance",
        "SageMakerVariantConcurrentRequestsPerModelHighResolution",
    },
    PROVISIONED: {"SageMakerVariantProvisionedConcurrencyUtilization"},
}


class ObjectNotFoundError(JsonRESTError):
    """There is no such target or policy."""

    def __init__(self, message: str) -> None:
        super().__init__("ObjectNotFoundException", message)


def _missing(what: str, r_id: str, dimension: str) -> ObjectNotFoundError:
    return ObjectNotFoundError(
        f"No {what} for service namespace: {NAMESPACE}, resource ID: {r_id}, scalable dimension: "
        f"{dimension}"
    )


def _find_variant(self: ApplicationAutoscalingBackend, r_id: str) -> tuple[Any, dict[str, Any]]:
    """The endpoint that a resource ID names, and its variant's configuration."""
    parts = r_id.split("/")
    if len(parts) != 4 or (parts[0], parts[2]) != ("endpoint", "variant"):
        raise AWSValidationException("Unsupported service namespace, resource type or dimension")
    backend = sagemaker_backends[self.account_id][self.region_name]
    endpoint = backend.endpoints.get(parts[1])
    if endpoint is None:
        raise AWSValidationException(f"Could not find endpoint {parts[1]!r}.")
    for variant in backend.endpoint_configs[endpoint.endpoint_config_name].production_variants:
        if variant["VariantName"] == parts[3]:
            return endpoint, variant
    raise AWSValidationException(f"Could not find variant {parts[3]!r} of {endpoint.arn}.")


def _check_target(
    self: ApplicationAutoscalingBackend,
    *,
    namespace: str,
    r_id: str,
    dimension: str,
    min_capacity: int | None,
    max_capacity: int | None,
    **_: Any,
) -> None:
    if namespace != NAMESPACE:
        return
    endpoint, variant = _find_variant(self, r_id)
    if endpoint.endpoint_status != "InService":
        raise AWSValidationException(
            f"The endpoint {endpoint.arn} is {endpoint.endpoint_status}; it must be InService."
        )
    _check_dimension(variant, dimension)
    known = self.targets.get(dimension, {}).get(r_id)
    low = min_capacity if min_capacity is not None else getattr(known, "min_capacity", None)
    high = max_capacity if max_capacity is not None else getattr(known, "max_capacity", None)
    if low is None or high is None:
        raise AWSValidationException(
            "MinCapacity and MaxCapacity are required when a new scalable target is registered."
        )
    most = variant.get("ServerlessConfig", {}).get("MaxConcurrency", high)
    if not 1 <= low <= high <= most:
        raise AWSValidationException(
            f"Capacity {low} to {high}: the minimum must be at least 1, the maximum not below it"
            + (f" and at most {most}, the variant's MaxConcurrency." if most != high else ".")
        )


def _check_dimension(variant: dict[str, Any], dimension: str) -> None:
    provisioned = variant.get("ServerlessConfig", {}).get("ProvisionedConcurrency")
    if dimension == PROVISIONED and not provisioned:
        raise AWSValidationException(
            f"The variant {variant['VariantName']} has no ProvisionedConcurrency to scale."
        )
    instance = variant.get("InstanceType", "")
    if dimension == INSTANCES and (not instance or instance.startswith("ml.t")):
        raise AWSValidationException(
            f"The variant {variant['VariantName']} has no instances that can be scaled"
            + (f": {instance} is burstable." if instance else ": it is serverless.")
        )


def _check_policy(
    self: ApplicationAutoscalingBackend,
    service_namespace: str,
    resource_id: str,
    scalable_dimension: str,
    policy_body: dict[str, Any] | None,
    **_: Any,
) -> None:
    if service_namespace != NAMESPACE:
        return
    if not self._scalable_target_exists(resource_id, scalable_dimension):
        raise _missing("scalable target registered", resource_id, scalable_dimension)
    metric = (
        (policy_body or {}).get("PredefinedMetricSpecification", {}).get("PredefinedMetricType")
    )
    if metric and metric not in METRICS[scalable_dimension]:
        raise AWSValidationException(
            f"The predefined metric {metric} does not go with {scalable_dimension}."
        )


def _check_deregistration(
    self: ApplicationAutoscalingBackend, namespace: str, r_id: str, dimension: str
) -> None:
    if namespace == NAMESPACE and not self._scalable_target_exists(r_id, dimension):
        raise _missing("scalable target found", r_id, dimension)


def _delete_policies(
    _: None, self: ApplicationAutoscalingBackend, namespace: str, r_id: str, dimension: str
) -> None:
    for key, policy in list(self.policies.items()):
        place = (policy.service_namespace, policy.resource_id, policy.scalable_dimension)
        if place == (namespace, r_id, dimension):
            del self.policies[key]


def _check_policy_deletion(
    self: ApplicationAutoscalingBackend,
    policy_name: str,
    service_namespace: str,
    resource_id: str,
    scalable_dimension: str,
) -> None:
    key = models.FakeApplicationAutoscalingPolicy.formulate_key(
        service_namespace, resource_id, scalable_dimension, policy_name
    )
    if service_namespace == NAMESPACE and key not in self.policies:
        raise _missing(f"scaling policy {policy_name!r}", resource_id, scalable_dimension)


def _targets(backend: SageMakerModelBackend, endpoint: str) -> list[FakeScalableTarget]:
    scaling = applicationautoscaling_backends[backend.account_id][backend.region_name]
    start = f"endpoint/{endpoint}/variant/"
    known = scaling._flatten_scalable_targets(NAMESPACE)
    return [target for target in known if target.resource_id.startswith(start)]


def refuse_update(backend: SageMakerModelBackend, endpoint: FakeEndpoint, config_name: str) -> None:
    """Raise if the update would take from a scalable target what is scaled; a new model may come.

    https://docs.aws.amazon.com/sagemaker/latest/dg/endpoint-scaling-update.html
    """
    for target in _targets(backend, endpoint.endpoint_name):
        name = target.resource_id.rpartition("/")[2]
        old, new = (
            _scaled_part(backend.endpoint_configs[config].production_variants, name)
            for config in (endpoint.endpoint_config_name, config_name)
        )
        if old != new:
            raise ValidationError(
                message=f'The variant(s) "{name}" must be deregistered as scalable targets with '
                "AWS Auto Scaling before they can be removed or have their instance type updated."
            )


def _scaled_part(variants: list[dict[str, Any]], name: str) -> tuple[Any, ...] | None:
    for variant in variants:
        if variant["VariantName"] == name:
            serverless = variant.get("ServerlessConfig", {})
            return variant.get("InstanceType"), bool(serverless.get("ProvisionedConcurrency"))
    return None


def forget_endpoint(backend: SageMakerModelBackend, endpoint: str) -> None:
    """Deregister the variants of a deleted endpoint.

    https://docs.aws.amazon.com/sagemaker/latest/dg/endpoint-delete-with-scaling.html
    """
    scaling = applicationautoscaling_backends[backend.account_id][backend.region_name]
    for target in _targets(backend, endpoint):
        scaling.deregister_scalable_target(NAMESPACE, target.resource_id, target.scalable_dimension)


def apply(patches: Patches) -> None:
    """Install the rules, and the dimension that moto does not know."""
    known = {item.name: item.value for item in models.ScalableDimensionValueSet}
    known["SAGEMAKER_VARIANT_DESIRED_PROVISIONED_CONCURRENCY"] = PROVISIONED
    make: Any = Enum  # mypy wants its members in sight
    dimensions = make("ScalableDimensionValueSet", known)
    for module in (models, responses):
        patches.set(module, "ScalableDimensionValueSet", dimensions)
    backend = ApplicationAutoscalingBackend
    patches.before(backend, "register_scalable_target", _check_target)
    patches.before(backend, "put_scaling_policy", _check_policy)
    patches.before(backend, "deregister_scalable_target", _check_deregistration)
    patches.after(backend, "deregister_scalable_target", _delete_policies)
    patches.before(backend, "delete_scaling_policy", _check_policy_deletion)
