"""What AWS holds of a name beside its environments: the Model Registry, and the files in S3."""

from collections.abc import Iterator
from functools import partial
from typing import Any

from pipeline_steps.aws import Clients, delete, find
from pipeline_steps.errors import DeployError
from pipeline_steps.inventory import Resource, day, tags_of
from pipeline_steps.settings import Settings

OBJECTS_A_CALL = 1000


def registry(settings: Settings, clients: Clients) -> list[Resource]:
    """The packages of all environments in the Model Registry, and their group."""
    sagemaker, name = clients.sagemaker, settings.deploy.name
    group = find(sagemaker.describe_model_package_group, ModelPackageGroupName=name)
    tags = {key: value for key, value in settings.tags.items() if key != "environment"}
    if group is None or not (
        tags.items() <= tags_of(sagemaker, group["ModelPackageGroupArn"]).items()
    ):
        return []
    pages = sagemaker.get_paginator("list_model_packages").paginate(ModelPackageGroupName=name)
    packages = [
        Resource(
            "model package",
            package["ModelPackageArn"].partition(":model-package/")[2],
            str(package["ModelPackageVersion"]),
            day(package["CreationTime"]),
            partial(
                delete, sagemaker.delete_model_package, ModelPackageName=package["ModelPackageArn"]
            ),
        )
        for page in pages
        for package in page["ModelPackageSummaryList"]
    ]
    remove = partial(delete, sagemaker.delete_model_package_group, ModelPackageGroupName=name)
    made = day(group["CreationTime"])
    return [*packages, Resource("model package group", name, "", made, remove)]


def artefacts(settings: Settings, clients: Clients, prefix: str) -> list[Resource]:
    """All versions of all objects below `prefix` of the bucket, as one thing."""
    bucket = settings.require("deploy", "bucket")
    owner = {"ExpectedBucketOwner": clients.sts.get_caller_identity()["Account"]}

    def versions() -> Iterator[dict[str, Any]]:
        pages = clients.s3.get_paginator("list_object_versions").paginate(
            Bucket=bucket, Prefix=prefix, **owner
        )
        for page in pages:
            yield from page.get("Versions", [])
            yield from page.get("DeleteMarkers", [])

    def remove() -> None:
        keys = [{"Key": v["Key"], "VersionId": v["VersionId"]} for v in versions()]
        for start in range(0, len(keys), OBJECTS_A_CALL):
            batch = {"Objects": keys[start : start + OBJECTS_A_CALL], "Quiet": True}
            answer = clients.s3.delete_objects(Bucket=bucket, Delete=batch, **owner)
            for error in answer.get("Errors", []):
                raise DeployError(
                    f"s3://{bucket}/{error['Key']}: {error['Code']}: {error['Message']}"
                )

    found = list(versions())
    if not found:
        return []
    oldest = day(min(version["LastModified"] for version in found))
    name = f"s3://{bucket}/{prefix} ({len(found)} object versions)"
    return [Resource("artefacts", name, "", oldest, remove)]
