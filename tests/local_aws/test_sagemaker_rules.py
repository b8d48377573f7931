"""What AWS refuses, the local SageMaker refuses."""

import json
from typing import Any

import pytest
from botocore.exceptions import ClientError

from local_aws.server import BUCKET


@pytest.fixture(scope="module")
def served(kit: Any) -> str:
    """An endpoint in service whose parts are all named "served"."""
    kit.create_endpoint("served", "served")
    return "served"


def refused(words: str) -> Any:
    """Expect a ValidationException with `words`."""
    return pytest.raises(ClientError, match=rf"\(ValidationException\).*{words}")


@pytest.mark.parametrize("kind", ["model", "endpoint configuration", "endpoint"])
def test_existing_names_are_refused(kit: Any, served: str, kind: str) -> None:
    again = {
        "model": lambda: kit.create_model(served, f"s3://{BUCKET}/models/served/model.tar.gz"),
        "endpoint configuration": lambda: kit.create_config(served),
        "endpoint": lambda: kit.client("sagemaker").create_endpoint(
            EndpointName=served, EndpointConfigName=served
        ),
    }
    with refused(f'Cannot create already existing {kind} "arn:aws:sagemaker:'):
        again[kind]()


@pytest.mark.parametrize(
    ("operation", "arguments", "words"),
    [
        ("describe_model", {"ModelName": "no"}, "Could not find model"),
        ("delete_model", {"ModelName": "no"}, "Could not find model"),
        ("delete_endpoint_config", {"EndpointConfigName": "no"}, "Could not find endpoint conf"),
        ("delete_endpoint", {"EndpointName": "no"}, "Could not find endpoint"),
        (
            "create_endpoint",
            {"EndpointName": "new", "EndpointConfigName": "no"},
            "Could not find endpoint configuration",
        ),
        (
            "update_endpoint",
            {"EndpointName": "served", "EndpointConfigName": "no"},
            "Could not find endpoint configuration",
        ),
        (
            "update_endpoint",
            {"EndpointName": "no", "EndpointConfigName": "served"},
            "Could not find endpoint",
        ),
        ("delete_endpoint_config", {"EndpointConfigName": "served"}, "uses it"),
    ],
)
def test_missing_and_used_are_refused(
    kit: Any, served: str, operation: str, arguments: dict[str, str], words: str
) -> None:
    assert served
    with refused(words):
        getattr(kit.client("sagemaker"), operation)(**arguments)


def test_config_of_missing_model_refused(kit: Any) -> None:
    with refused("Could not find model"):
        kit.create_config("model-that-is-not")


@pytest.mark.parametrize(
    "setting", [{"MaxConcurrency": 201}, {"MemorySizeInMB": 2000}, {"MemorySizeInMB": 7168}]
)
def test_serverless_limits_are_enforced(kit: Any, served: str, setting: dict[str, int]) -> None:
    variant = {
        "VariantName": "all",
        "ModelName": served,
        "ServerlessConfig": {"MaxConcurrency": 5, "MemorySizeInMB": 2048, **setting},
    }
    with refused("failed to satisfy constraint"):
        kit.client("sagemaker").create_endpoint_config(
            EndpointConfigName="limits", ProductionVariants=[variant]
        )


def test_missing_model_data_refused(kit: Any) -> None:
    with refused("Could not find model data at s3://no-bucket/model.tar.gz"):
        kit.create_model("dataless", "s3://no-bucket/model.tar.gz")


def test_oci_image_is_refused(kit: Any) -> None:
    # GIVEN a repository with an image of each format
    ecr, url = kit.client("ecr"), kit.upload_model("formats")
    repository = ecr.create_repository(repositoryName="formats")["repository"]
    for tag, kind in (("docker", "docker.distribution.manifest.v2"), ("oci", "oci.image.index.v1")):
        manifest = {"schemaVersion": 2, "mediaType": f"application/vnd.{kind}+json"}
        ecr.put_image(repositoryName="formats", imageManifest=json.dumps(manifest), imageTag=tag)
    # THEN models run in the one alone
    kit.create_model("docker", url, f"{repository['repositoryUri']}:docker")
    with refused("Unsupported manifest media type application/vnd.oci.image.index"):
        kit.create_model("oci", url, f"{repository['repositoryUri']}:oci")


@pytest.mark.parametrize("role", ["LAMBDA_ROLE_ARN", None])
def test_untrusting_role_is_refused(kit: Any, served: str, role: str | None) -> None:
    arn = kit.environment[role] if role else "arn:aws:iam::123456789012:role/nobody"
    container = {"Image": "any", "ModelDataUrl": f"s3://{BUCKET}/models/{served}/model.tar.gz"}
    with refused("Could not assume role"):
        kit.client("sagemaker").create_model(
            ModelName="roleless", PrimaryContainer=container, ExecutionRoleArn=arn
        )


def test_busy_endpoint_is_left_alone(kit: Any, served: str) -> None:
    kit.release("busy-1")
    sagemaker = kit.client("sagemaker")
    sagemaker.update_endpoint(EndpointName=served, EndpointConfigName="busy-1")
    with refused("Cannot update in-progress endpoint"):
        sagemaker.update_endpoint(EndpointName=served, EndpointConfigName="busy-1")
    with refused("Cannot update in-progress endpoint"):
        sagemaker.delete_endpoint(EndpointName=served)
    with refused("uses it"):
        sagemaker.delete_endpoint_config(EndpointConfigName="busy-1")
    kit.endpoint_when(served, "InService")


def test_models_are_listed_by_name(kit: Any) -> None:
    url = kit.upload_model("listed")
    kit.create_model("listed-a", url)
    kit.create_model("listed-b", url)
    found = kit.client("sagemaker").list_models(NameContains="listed-")["Models"]
    assert sorted(model["ModelName"] for model in found) == ["listed-a", "listed-b"]
