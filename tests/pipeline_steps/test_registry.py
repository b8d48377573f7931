"""The Model Registry: what a package tells, and who approves it."""

from collections.abc import Callable
from typing import Any

import pytest

from pipeline_steps import deploy_endpoint, registry
from pipeline_steps.aws import Clients
from pipeline_steps.errors import DeployError
from pipeline_steps.model_artefacts import Manifest
from pipeline_steps.release_artefacts import Release
from pipeline_steps.settings import Settings

Make = Callable[..., Settings]


def package_of(settings: Settings) -> dict[str, Any]:
    arn = Release.load(settings.environment_dir).model_package_arn
    found: dict[str, Any] = Clients().sagemaker.describe_model_package(ModelPackageName=arn)
    return found


def test_package_tells_what_the_model_is(release: Make) -> None:
    settings = release()
    deploy_endpoint.run(settings, Clients())
    package = package_of(settings)
    (container,) = package["InferenceSpecification"]["Containers"]
    assert container["ModelDataUrl"] == Release.load(settings.environment_dir).model_data_url
    assert package["CustomerMetadataProperties"]["model_version"] == "aaaaaaaaaaaa"
    assert package["ModelApprovalStatus"] == "Approved"
    assert package["ApprovalDescription"] == "It passed its evaluation."
    statistics = package["ModelMetrics"]["ModelQuality"]["Statistics"]["S3Uri"]
    bucket, key = statistics.removeprefix("s3://").split("/", 1)
    assert Clients().s3.head_object(Bucket=bucket, Key=key)


def test_same_tarball_is_one_package(release: Make) -> None:
    clients = Clients()
    deploy_endpoint.run(release(), clients)
    deploy_endpoint.run(release(memory_mb=4096), clients)
    deploy_endpoint.run(release().in_environment("staging"), clients)
    deploy_endpoint.run(release("bbbbbbbbbbbb"), clients)
    found = clients.sagemaker.list_model_packages(ModelPackageGroupName="t5-sentiment-demo")
    assert len(found["ModelPackageSummaryList"]) == 2


def test_person_approves_where_asked_to(release: Make) -> None:
    clients, settings = Clients(), release(approval="manual")
    deploy_endpoint.run(settings.in_environment("staging"), clients)
    with pytest.raises(DeployError, match=r"A person approves it .*or approve it by hand: aws"):
        deploy_endpoint.run(settings, clients)
    # WHEN one does THEN the same command goes through
    (package,) = clients.sagemaker.list_model_packages(ModelPackageGroupName="t5-sentiment-demo")[
        "ModelPackageSummaryList"
    ]
    registry.approve(clients.sagemaker, package["ModelPackageArn"], "I have looked at it.")
    assert deploy_endpoint.run(settings, clients).status == "done"


def test_rejected_package_stays_rejected(release: Make) -> None:
    clients, settings = Clients(), release()
    deploy_endpoint.run(settings, clients)
    arn = package_of(settings)["ModelPackageArn"]
    registry.reject(clients.sagemaker, arn, "It is wrong on short reviews.")
    with pytest.raises(DeployError, match=r"is rejected: It is wrong on short reviews\."):
        deploy_endpoint.run(settings, clients)
    assert package_of(settings)["ModelApprovalStatus"] == "Rejected"


def test_long_values_are_cut(release: Make) -> None:
    settings = release()
    manifest = Manifest.load(settings.work_dir)
    properties = registry._properties(
        Manifest(**{**vars(manifest), "data_source": "x" * 300, "metrics": {"accuracy": 2 / 3}})
    )
    assert len(properties["data_source"]) == 256
    assert properties["accuracy"] == "0.666667"
    assert "data_hash" not in properties  # empty: SageMaker refuses that
