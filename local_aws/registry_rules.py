"""The Model Registry as strict as AWS, with the deletions that moto lacks.

https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_CreateModelPackage.html
"""

from typing import Any

from moto.core.responses import ActionResult, EmptyResult
from moto.sagemaker.exceptions import ConflictException, ValidationError
from moto.sagemaker.models import ModelPackage, SageMakerModelBackend
from moto.sagemaker.responses import SageMakerResponse

from local_aws.moto_patches import Patches

DEFAULT_APPROVAL = "PendingManualApproval"


def _packages(backend: SageMakerModelBackend, group: str) -> list[ModelPackage]:
    return [p for p in backend.model_packages.values() if p.model_package_group_name == group]


def _check_group(self: SageMakerModelBackend, model_package_group_name: str, **_: Any) -> None:
    known = self.model_package_groups.get(model_package_group_name)
    if known:
        raise ValidationError(message=f"Model Package Group already exists: {known.arn}")


def _check_package(group: str, arguments: dict[str, Any]) -> None:
    if not arguments["inference_specification"]:
        raise ValidationError(
            message=f"A model package of the group {group} needs an InferenceSpecification."
        )
    if arguments["tags"]:
        raise ValidationError(
            message="Tags cannot be given with a ModelPackageGroupName: a model package has the "
            "tags of its group."
        )


def _create_in_group(backend: SageMakerModelBackend, group: Any, arguments: dict[str, Any]) -> str:
    """A package whose version is never given out again; the same token gives the same package."""
    name, token = group.model_package_group_name, arguments["client_token"]
    _check_package(name, arguments)
    for package in _packages(backend, name):
        if token and package.client_token == token:
            return str(package.arn)
    group.versions_given = getattr(group, "versions_given", 0) + 1
    arguments["model_approval_status"] = arguments["model_approval_status"] or DEFAULT_APPROVAL
    arguments["model_package_name"] = name
    package = ModelPackage(
        **arguments,
        model_package_version=group.versions_given,
        model_package_type="Versioned",
        approval_description=None,
        region_name=backend.region_name,
        account_id=backend.account_id,
    )
    backend.model_package_name_mapping[package.arn] = package.arn
    backend.model_packages[package.arn] = package
    return str(package.arn)


def _find_package(self: SageMakerModelBackend, model_package_name: str) -> ModelPackage:
    name = model_package_name
    package = self.model_packages.get(self.model_package_name_mapping.get(name, name))
    if package is None:
        raise ValidationError(message=f"ModelPackage {name} does not exist.")
    return package


def _update_package(
    self: SageMakerModelBackend,
    *,
    model_package_arn: str,
    model_approval_status: str | None,
    approval_description: str | None,
    customer_metadata_properties: dict[str, str] | None,
    customer_metadata_properties_to_remove: list[str],
    additional_inference_specifications_to_add: list[Any] | None,
) -> str:
    """Change what is given; moto would set all else to nothing."""
    package = _find_package(self, model_package_arn)
    if model_approval_status is not None:
        package.set_model_approval_status(model_approval_status)
    if approval_description is not None:
        package.approval_description = approval_description
    known = package.customer_metadata_properties or {}
    package.customer_metadata_properties = known | (customer_metadata_properties or {})
    package.remove_customer_metadata_property(customer_metadata_properties_to_remove)
    if additional_inference_specifications_to_add:
        package.add_additional_inference_specifications(additional_inference_specifications_to_add)
    package.modifications_done()
    return str(package.arn)


def _delete_package(self: SageMakerResponse) -> ActionResult:
    backend = self.sagemaker_backend
    package = _find_package(backend, self._get_param("ModelPackageName"))
    del backend.model_packages[package.arn]
    for name, arn in list(backend.model_package_name_mapping.items()):
        if arn == package.arn:
            del backend.model_package_name_mapping[name]
    return EmptyResult()


def _delete_group(self: SageMakerResponse) -> ActionResult:
    backend, name = self.sagemaker_backend, self._get_param("ModelPackageGroupName")
    name = name.rpartition("/")[2]
    group = backend.describe_model_package_group(name)  # raises if there is none
    packages = _packages(backend, name)
    if packages:
        raise ConflictException(
            f"Deletion of ModelPackageGroup {group.arn} failed: it has {len(packages)} model "
            "package(s), delete them first."
        )
    del backend.model_package_groups[name]
    return EmptyResult()


def apply(patches: Patches) -> None:
    """Install the rules."""
    backend = SageMakerModelBackend
    create_without_group = backend.create_model_package

    def create_package(self: SageMakerModelBackend, **arguments: Any) -> str:
        name, group = arguments["model_package_name"], arguments["model_package_group_name"]
        if name or not group:
            return create_without_group(self, **arguments)
        # Either its name or its ARN may be given.
        arguments["model_package_group_name"] = group = group.rpartition("/")[2]
        return _create_in_group(self, self.describe_model_package_group(group), arguments)

    patches.before(backend, "create_model_package_group", _check_group)
    patches.set(backend, "create_model_package", create_package)
    patches.set(backend, "describe_model_package", _find_package)
    patches.set(backend, "update_model_package", _update_package)
    patches.set(SageMakerResponse, "delete_model_package", _delete_package)
    patches.set(SageMakerResponse, "delete_model_package_group", _delete_group)
