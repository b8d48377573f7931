"""The local Model Registry keeps what it is told, and refuses what AWS refuses."""

from typing import Any

import pytest
from botocore.exceptions import ClientError

SPECIFICATION = {
    "Containers": [{"Image": "any", "ModelDataUrl": "s3://models/model.tar.gz"}],
    "SupportedContentTypes": ["application/json"],
    "SupportedResponseMIMETypes": ["application/json"],
}


class Group:
    """A model package group of one test."""

    def __init__(self, sagemaker: Any, name: str) -> None:
        self.sagemaker, self.name = sagemaker, name
        sagemaker.create_model_package_group(ModelPackageGroupName=name)

    def add(self, **arguments: Any) -> str:
        """A new package; returns its ARN."""
        created = self.sagemaker.create_model_package(
            ModelPackageGroupName=self.name, InferenceSpecification=SPECIFICATION, **arguments
        )
        return str(created["ModelPackageArn"])

    def versions(self) -> list[int]:
        """The versions of the packages that are there."""
        found = self.sagemaker.list_model_packages(ModelPackageGroupName=self.name)
        return [package["ModelPackageVersion"] for package in found["ModelPackageSummaryList"]]


@pytest.fixture
def group(kit: Any, request: pytest.FixtureRequest) -> Group:
    """An empty group of this test's own."""
    return Group(kit.client("sagemaker"), request.node.name.replace("_", "-")[:60])


def refused(words: str, code: str = "ValidationException") -> Any:
    """Expect an error `code` with `words`."""
    return pytest.raises(ClientError, match=rf"\({code}\).*{words}")


def test_existing_group_is_refused(group: Group) -> None:
    with refused(f"Model Package Group already exists: arn:.*/{group.name}"):
        group.sagemaker.create_model_package_group(ModelPackageGroupName=group.name)


def test_full_group_is_kept(group: Group) -> None:
    arn = group.add()
    with refused("delete them first", code="ConflictException"):
        group.sagemaker.delete_model_package_group(ModelPackageGroupName=group.name)
    group.sagemaker.delete_model_package(ModelPackageName=arn)
    group.sagemaker.delete_model_package_group(ModelPackageGroupName=group.name)
    with refused("does not exist"):
        group.sagemaker.describe_model_package_group(ModelPackageGroupName=group.name)
    with refused("does not exist"):
        group.sagemaker.delete_model_package_group(ModelPackageGroupName=group.name)


def test_deleted_package_is_gone(group: Group) -> None:
    arn = group.add()
    group.sagemaker.delete_model_package(ModelPackageName=arn)
    assert group.versions() == []
    for call in (group.sagemaker.describe_model_package, group.sagemaker.delete_model_package):
        with refused("does not exist"):
            call(ModelPackageName=arn)
    with refused("does not exist"):
        group.sagemaker.update_model_package(ModelPackageArn=arn, ModelApprovalStatus="Approved")


def test_versions_are_never_reused(group: Group) -> None:
    arns = [group.add() for _ in range(2)]
    for arn in arns:
        group.sagemaker.delete_model_package(ModelPackageName=arn)
    group.add()
    assert group.versions() == [3]


def test_same_token_same_package(group: Group) -> None:
    first = group.add(ClientToken="a-token")
    assert group.add(ClientToken="a-token") == first
    assert group.add(ClientToken="another") != first
    assert group.add() != group.add()
    assert group.versions() == [1, 2, 3, 4]


def test_update_keeps_the_rest(group: Group) -> None:
    arn = group.add(ModelPackageDescription="v1", CustomerMetadataProperties={"a": "1", "b": "2"})
    update = group.sagemaker.update_model_package
    update(ModelPackageArn=arn, ModelApprovalStatus="Approved", ApprovalDescription="well done")
    update(ModelPackageArn=arn, CustomerMetadataProperties={"b": "3"})
    found = group.sagemaker.describe_model_package(ModelPackageName=arn)
    assert found["ModelApprovalStatus"] == "Approved"
    assert found["ApprovalDescription"] == "well done"
    assert found["CustomerMetadataProperties"] == {"a": "1", "b": "3"}
    assert found["InferenceSpecification"] == SPECIFICATION
    update(ModelPackageArn=arn, CustomerMetadataPropertiesToRemove=["a"])
    found = group.sagemaker.describe_model_package(ModelPackageName=arn)
    assert found["CustomerMetadataProperties"] == {"b": "3"}


def test_summary_says_what_it_is(group: Group) -> None:
    arn = group.add(ModelPackageDescription="v1, sha256 abc")
    (summary,) = group.sagemaker.list_model_packages(ModelPackageGroupName=group.name)[
        "ModelPackageSummaryList"
    ]
    assert summary["ModelPackageArn"] == arn
    assert summary["ModelPackageDescription"] == "v1, sha256 abc"
    assert summary["ModelApprovalStatus"] == "PendingManualApproval"
    assert summary["ModelPackageVersion"] == 1


def test_packages_come_in_pages(group: Group) -> None:
    arns = [group.add() for _ in range(5)]
    pages = group.sagemaker.get_paginator("list_model_packages").paginate(
        ModelPackageGroupName=group.name,
        SortBy="CreationTime",
        SortOrder="Descending",
        PaginationConfig={"PageSize": 2},
    )
    found = [
        package["ModelPackageArn"] for page in pages for package in page["ModelPackageSummaryList"]
    ]
    assert found == arns[::-1]


def test_empty_package_is_refused(group: Group) -> None:
    with refused("needs an InferenceSpecification"):
        group.sagemaker.create_model_package(ModelPackageGroupName=group.name)


def test_packages_have_no_tags(group: Group) -> None:
    with refused("has the tags of its group"):
        group.add(Tags=[{"Key": "a", "Value": "b"}])


def test_missing_group_is_refused(kit: Any) -> None:
    with refused("does not exist"):
        kit.client("sagemaker").create_model_package(
            ModelPackageGroupName="no-group", InferenceSpecification=SPECIFICATION
        )


def test_group_keeps_its_tags(group: Group) -> None:
    arn = group.sagemaker.describe_model_package_group(ModelPackageGroupName=group.name)[
        "ModelPackageGroupArn"
    ]
    group.sagemaker.add_tags(ResourceArn=arn, Tags=[{"Key": "name", "Value": "demo"}])
    assert group.sagemaker.list_tags(ResourceArn=arn)["Tags"] == [{"Key": "name", "Value": "demo"}]
