"""What AWS holds of a name beside its environments: the Model Registry, and the files in S3."""

from datetime import UTC, datetime
from functools import partial

from pipeline_steps import object_versions
from pipeline_steps.aws import Clients, delete, find
from pipeline_steps.errors import DeployError
from pipeline_steps.inventory import Resource, day, tags_of
from pipeline_steps.settings import Settings


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

    count, oldest = 0, datetime.now(UTC)
    for version in object_versions.found(clients.s3, bucket, Prefix=prefix, **owner):
        count, oldest = count + 1, min(oldest, version["LastModified"])
    if not count:
        return []
    remove = partial(
        object_versions.delete_all, clients.s3, bucket, DeployError, prefix=prefix, **owner
    )
    name = f"s3://{bucket}/{prefix} ({count} object versions)"
    return [Resource("artefacts", name, "", day(oldest), remove)]
