"""The Model Registry: a package for each tarball, with its metrics and whether it may go live.

https://docs.aws.amazon.com/sagemaker/latest/dg/model-registry.html
"""

from collections.abc import Iterator
from typing import Any

from pipeline_steps.aws import create, find
from pipeline_steps.errors import DeployError
from pipeline_steps.model_artefacts import Manifest
from pipeline_steps.settings import Settings

JSON = "application/json"
APPROVED, PENDING, REJECTED = "Approved", "PendingManualApproval", "Rejected"
MAX_TOKEN = 36  # characters of a ClientToken


def register(settings: Settings, sagemaker: Any, manifest: Manifest, image: str, url: str) -> str:
    """The ARN of the tarball's package, which is made if need be.

    Args:
        settings: the group's name and who approves.
        sagemaker: boto3's client.
        manifest: of the tarball.
        image: the container image it runs in.
        url: where it lies in S3; its evaluation lies beside it.
    """
    group = settings.deploy.name
    if find(sagemaker.describe_model_package_group, ModelPackageGroupName=group) is None:
        tags = {key: value for key, value in settings.tags.items() if key != "environment"}
        create(
            sagemaker.create_model_package_group,
            ModelPackageGroupName=group,
            ModelPackageGroupDescription="Models that passed their evaluation, by version.",
            Tags=[{"Key": key, "Value": value} for key, value in tags.items()],
        )
    description = _description(manifest)
    known = _find(sagemaker, group, description)
    arn = known["ModelPackageArn"] if known else None
    if arn is None:
        arn = sagemaker.create_model_package(
            ModelPackageGroupName=group,
            ModelPackageDescription=description,
            InferenceSpecification={
                "Containers": [{"Image": image, "ModelDataUrl": url}],
                "SupportedContentTypes": [JSON],
                "SupportedResponseMIMETypes": [JSON],
            },
            ModelMetrics={
                "ModelQuality": {
                    "Statistics": {"ContentType": JSON, "S3Uri": _beside(url, "evaluation.json")}
                }
            },
            CustomerMetadataProperties=_properties(manifest),
            ModelApprovalStatus=PENDING,
            # The same token gives the same package, should the first answer be lost.
            ClientToken=manifest.tarball_sha256[:MAX_TOKEN],
        )["ModelPackageArn"]
    if settings.deploy.approval == "evaluation":
        approve(sagemaker, arn, "It passed its evaluation.")
    return str(arn)


def refuse_unknown(settings: Settings, sagemaker: Any, manifest: Manifest) -> None:
    """Raise unless the tarball was shipped to staging, where it is uploaded and registered.

    Raises:
        DeployError: it was not.
    """
    group = settings.deploy.name
    known = find(sagemaker.describe_model_package_group, ModelPackageGroupName=group)
    if known is None or _find(sagemaker, group, _description(manifest)) is None:
        raise DeployError(
            f"{manifest.model_version} was never shipped to staging. Production, which is "
            "untouched, takes what was. Run deploy_endpoint, create_api and smoke_test with "
            "--environment staging first, or all of it: python -m pipeline_steps."
        )


def package_of(settings: Settings, sagemaker: Any, config: str) -> dict[str, Any] | None:
    """The package whose tarball an EndpointConfig of ours serves; None where either is gone."""
    # Model and configuration have one name.
    model = find(sagemaker.describe_model, ModelName=config)
    if model is None:
        return None
    version, digest = model["PrimaryContainer"]["ModelDataUrl"].split("/")[-3:-1]
    return _find(sagemaker, settings.deploy.name, f"{version}, model.tar.gz sha256 {digest}")


def newest_approved(settings: Settings, sagemaker: Any) -> str | None:
    """Where the tarball of the newest approved package lies; None where there is none."""
    group = settings.deploy.name
    if find(sagemaker.describe_model_package_group, ModelPackageGroupName=group) is None:
        return None
    for package in _packages(sagemaker, group):
        if package["ModelApprovalStatus"] == APPROVED:
            arn = package["ModelPackageArn"]
            found = sagemaker.describe_model_package(ModelPackageName=arn)
            return str(found["InferenceSpecification"]["Containers"][0]["ModelDataUrl"])
    return None


def approve(sagemaker: Any, arn: str, why: str) -> None:
    """Approve a package that waits for it; what a person has rejected stays so."""
    found = sagemaker.describe_model_package(ModelPackageName=arn)
    if found["ModelApprovalStatus"] == PENDING:
        _set(sagemaker, arn, APPROVED, why)


def reject(sagemaker: Any, arn: str, why: str) -> None:
    """Say that a package must not go live again until somebody approves it."""
    _set(sagemaker, arn, REJECTED, why)


def refuse_unapproved(settings: Settings, sagemaker: Any, arn: str) -> None:
    """Raise unless the package is approved.

    Raises:
        DeployError: it waits for approval, or was rejected; says by what and what to do.
    """
    found = sagemaker.describe_model_package(ModelPackageName=arn)
    status = found["ModelApprovalStatus"]
    if status == APPROVED:
        return
    by_hand = command_to_approve(arn)
    if status == REJECTED:
        reason = found.get("ApprovalDescription", "no reason is given")
        raise DeployError(
            f"The model package {arn} is rejected: {reason} Production is untouched. Ship another "
            f"model, or, if this one is right after all: {by_hand}"
        )
    if settings.deploy.approval == "staging":
        advice = (
            "Its smoke test in staging approves it: run deploy_endpoint, create_api and "
            "smoke_test with --environment staging first"
        )
    else:
        advice = "A person approves it (approval = 'manual')"
    raise DeployError(
        f"The model package {arn} is not approved for production ({status}), which is untouched. "
        f"{advice}, or approve it by hand: {by_hand}"
    )


def command_to_approve(arn: str) -> str:
    """What a person types to approve a package."""
    return (
        f"aws sagemaker update-model-package --model-package-arn {arn} "
        "--model-approval-status Approved"
    )


def _set(sagemaker: Any, arn: str, status: str, why: str) -> None:
    sagemaker.update_model_package(
        ModelPackageArn=arn, ModelApprovalStatus=status, ApprovalDescription=why[:1024]
    )


def _packages(sagemaker: Any, group: str) -> Iterator[dict[str, Any]]:
    """What the registry tells of each package, the newest first."""
    pages = sagemaker.get_paginator("list_model_packages").paginate(
        ModelPackageGroupName=group, SortBy="CreationTime", SortOrder="Descending"
    )
    return (package for page in pages for package in page["ModelPackageSummaryList"])


def _find(sagemaker: Any, group: str, description: str) -> dict[str, Any] | None:
    for package in _packages(sagemaker, group):
        if package.get("ModelPackageDescription", "").startswith(description):
            return dict(package)
    return None


def _description(manifest: Manifest) -> str:
    return f"{manifest.model_version}, model.tar.gz sha256 {manifest.tarball_sha256}"


def _properties(manifest: Manifest) -> dict[str, str]:
    properties = {
        "model_version": manifest.model_version,
        "fingerprint": manifest.fingerprint,
        "data_hash": manifest.data_hash,
        "data_source": manifest.data_source,
        "trained_at": str(manifest.trained_at.get("commit")),
        "exported_at": str(manifest.exported_at.get("commit")),
        **{name: f"{value:.6g}" for name, value in manifest.metrics.items()},
    }
    # Neither may be empty, and a value has at most 256 characters.
    return {name: value[:256] for name, value in properties.items() if value}


def _beside(url: str, name: str) -> str:
    return f"{url.rpartition('/')[0]}/{name}"
