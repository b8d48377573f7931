"""SageMaker as strict as AWS where moto is not, and `UpdateEndpoint`, which moto lacks.

Wordings are those that AWS answers with. One rule is stricter than AWS: an EndpointConfig in use
cannot be deleted (AWS lets it go, and the endpoint's next update fails for the want of it:
https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_UpdateEndpoint.html).
"""

import functools
from typing import Any

import botocore.session
from moto.core.responses import ActionResult
from moto.ecr.models import ecr_backends
from moto.sagemaker.exceptions import ValidationError
from moto.sagemaker.models import FakeEndpoint, FakeEndpointConfig, SageMakerModelBackend
from moto.sagemaker.responses import SageMakerResponse

from local_aws.autoscaling_rules import forget_endpoint, refuse_update
from local_aws.moto_patches import Patches, role_trusts
from local_aws.sagemaker_plane import SageMakerPlane, find_model_data

MAX_SERVERLESS_CONCURRENCY = 200  # requests at once, AWS's limit for one endpoint
IN_PROGRESS = ("Creating", "Updating", "Deleting")


def _arn(backend: SageMakerModelBackend, kind: str, name: str) -> str:
    return f"arn:aws:sagemaker:{backend.region_name}:{backend.account_id}:{kind}/{name}"


def _refuse_existing(kind: str, words: str, known: Any, backend: Any, name: str) -> None:
    if name in known:
        arn = _arn(backend, kind, name)
        raise ValidationError(message=f'Cannot create already existing {words} "{arn}".')


def _check_model(
    self: SageMakerModelBackend,
    model_name: str,
    execution_role_arn: str,
    primary_container: dict[str, Any] | None,
    **_: Any,
) -> None:
    _refuse_existing("model", "model", self._models, self, model_name)
    if not role_trusts(self.account_id, execution_role_arn, "sagemaker.amazonaws.com"):
        raise ValidationError(
            message=f"Could not assume role {execution_role_arn}. Please ensure that the role "
            "exists and allows principal 'sagemaker.amazonaws.com' to assume the role."
        )
    url = (primary_container or {}).get("ModelDataUrl", "")
    if find_model_data(self.account_id, url) is None:
        raise ValidationError(message=f"Could not find model data at {url}.")
    _refuse_oci(self, (primary_container or {}).get("Image", ""))


def _refuse_oci(backend: SageMakerModelBackend, image: str) -> None:
    """An image of this registry has to be of Docker's format, not of OCI's.

    https://github.com/aws/amazon-sagemaker-feedback/issues/180
    """
    for repository in ecr_backends[backend.account_id][backend.region_name].repositories.values():
        for held in repository.images:
            media_type = held.image_manifest_media_type or ""
            named = image in [f"{repository.uri}:{tag}" for tag in held.image_tags]
            if named and media_type.startswith("application/vnd.oci."):
                raise ValidationError(
                    message=f"Unsupported manifest media type {media_type} for image {image}. "
                    "Ensure that valid manifest media type is used for specified image."
                )


def _check_config(
    self: SageMakerModelBackend,
    endpoint_config_name: str,
    production_variants: list[dict[str, Any]],
    **_: Any,
) -> None:
    words = "endpoint configuration"
    _refuse_existing("endpoint-config", words, self.endpoint_configs, self, endpoint_config_name)
    if len(production_variants) != 1:
        raise ValidationError(
            message=f"Got {len(production_variants)} production variants; the local AWS, like a "
            "serverless endpoint, serves exactly one."
        )
    _check_serverless(production_variants[0].get("ServerlessConfig", {}))


def _check_serverless(config: dict[str, Any]) -> None:
    most = MAX_SERVERLESS_CONCURRENCY
    for name in ("MaxConcurrency", "ProvisionedConcurrency"):
        value = config.get(name, 1)
        if value > most:
            raise ValidationError(
                message=f"1 validation error detected: Value '{value}' at "
                f"'productionVariants.1.member.serverlessConfig.{name[0].lower()}{name[1:]}' "
                f"failed to satisfy constraint: Member must have value less than or equal to {most}"
            )
        most = value  # what is provisioned is at most what may run at once


@functools.cache
def _instance_types() -> frozenset[str]:
    model = botocore.session.get_session().get_service_model("sagemaker")
    return frozenset(model.shape_for("ProductionVariantInstanceType").metadata["enum"])


def _check_instance_type(self: FakeEndpointConfig, instance_type: str) -> None:
    """What AWS knows now; moto's list is some years old."""
    if instance_type not in _instance_types():
        raise ValidationError(
            message=f"1 validation error detected: Value '{instance_type}' at "
            "'productionVariants.1.member.instanceType' failed to satisfy constraint: Member must "
            f"satisfy enum value set: [{', '.join(sorted(_instance_types()))}]"
        )


def _check_config_deletion(self: SageMakerModelBackend, endpoint_config_name: str) -> None:
    for endpoint in self.endpoints.values():
        if endpoint.endpoint_status == "Deleting":
            continue  # it has no next update
        pending = getattr(endpoint, "pending_config_name", None)
        if endpoint_config_name in (endpoint.endpoint_config_name, pending):
            arn = _arn(self, "endpoint-config", endpoint_config_name)
            raise ValidationError(
                message=f'Cannot delete endpoint configuration "{arn}": the endpoint '
                f'"{endpoint.arn}" uses it.'
            )


def _check_endpoint(self: SageMakerModelBackend, endpoint_name: str, **_: Any) -> None:
    _refuse_existing("endpoint", "endpoint", self.endpoints, self, endpoint_name)


def _idle_endpoint(self: SageMakerModelBackend, endpoint_name: str) -> FakeEndpoint:
    self.describe_endpoint(endpoint_name)  # raises if there is none
    endpoint = self.endpoints[endpoint_name]
    if endpoint.endpoint_status in IN_PROGRESS:
        # AWS says "update" for a deletion too.
        raise ValidationError(message=f'Cannot update in-progress endpoint "{endpoint.arn}".')
    return endpoint


def _refuse_conversion(backend: SageMakerModelBackend, old: str, new: str) -> None:
    """A realtime endpoint never becomes serverless; the other way it may.

    https://docs.aws.amazon.com/sagemaker/latest/dg/serverless-endpoints.html
    """
    was, becomes = (backend.endpoint_configs[name].production_variants[0] for name in (old, new))
    if "InstanceType" in was and "ServerlessConfig" in becomes:
        raise ValidationError(
            message="An instance-based endpoint cannot be updated to a serverless one. Create a "
            "new endpoint instead."
        )


def apply(patches: Patches, plane: SageMakerPlane) -> None:
    """Install the rules; created, updated and deleted endpoints are handed to `plane`."""
    backend = SageMakerModelBackend

    def started(endpoint: FakeEndpoint, self: SageMakerModelBackend, **_: Any) -> None:
        endpoint.endpoint_status = "Creating"
        plane.roll_out(self, endpoint, endpoint.endpoint_config_name)

    def delete_endpoint(self: SageMakerModelBackend, endpoint_name: str) -> None:
        endpoint = _idle_endpoint(self, endpoint_name)
        forget_endpoint(self, endpoint_name)
        plane.delete(self, endpoint)

    def update_endpoint(self: SageMakerResponse) -> ActionResult:
        name, config_name = self._get_param("EndpointName"), self._get_param("EndpointConfigName")
        endpoint = _idle_endpoint(self.sagemaker_backend, name)
        self.sagemaker_backend.describe_endpoint_config(config_name)  # raises if there is none
        if endpoint.endpoint_status == "Failed":
            raise ValidationError(
                message=f'Cannot update endpoint "{endpoint.arn}" in status Failed. '
                "A failed endpoint can only be deleted."
            )
        _refuse_conversion(self.sagemaker_backend, endpoint.endpoint_config_name, config_name)
        refuse_update(self.sagemaker_backend, endpoint, config_name)
        endpoint.endpoint_status = "Updating"
        plane.roll_out(self.sagemaker_backend, endpoint, config_name)
        return ActionResult({"EndpointArn": endpoint.arn})

    patches.before(backend, "create_model", _check_model)
    patches.before(backend, "create_endpoint_config", _check_config)
    patches.set(FakeEndpointConfig, "validate_instance_type", _check_instance_type)
    patches.before(backend, "delete_endpoint_config", _check_config_deletion)
    patches.before(backend, "create_endpoint", _check_endpoint)
    patches.after(backend, "create_endpoint", started)
    patches.set(backend, "delete_endpoint", delete_endpoint)
    patches.set(SageMakerResponse, "update_endpoint", update_endpoint)
