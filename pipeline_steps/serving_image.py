"""Which container image an endpoint runs in, and whether our own one is already there.

    python -m pipeline_steps.serving_image --profile sst2

A model for ONNX Runtime runs in our image, built from `serving/` and named by the hash of its
files: the same sources are never built twice. One for PyTorch runs in AWS's Hugging Face image,
to which nothing has to be added. Prints the image and whether the repository holds it, and gives
both to a job of GitHub Actions as `image` and `exists`.
"""

import re
import sys
from pathlib import Path

from pipeline_steps import github, step
from pipeline_steps.aws import aws_errors, find
from pipeline_steps.clients import Clients
from pipeline_steps.errors import ConfigurationError, DeployError
from pipeline_steps.files import file_hash, hash_of
from pipeline_steps.settings import Settings
from pipeline_steps.step import Outcome

SOURCES = Path(__file__).parents[1] / "serving"
TAG_DIGITS = 16
AWS_IMAGE = (
    "763104351884.dkr.ecr.{region}.amazonaws.com/huggingface-pytorch-inference:"
    "2.6.0-transformers5.5.3-cpu-py312-ubuntu22.04"
)
REPOSITORY = re.compile(r"(\d{12})\.dkr\.ecr\.[a-z0-9-]+\.amazonaws\.com(?:\.cn)?/([a-z0-9._/-]+)")
OCI = "application/vnd.oci."
DOCKER = "application/vnd.docker.distribution.manifest.v2+json"
# What AWS's Hugging Face image needs to find our handler functions in the tarball.
ENVIRONMENT: dict[str, dict[str, str]] = {
    "onnx": {},
    "pytorch": {
        "SAGEMAKER_PROGRAM": "inference.py",
        "SAGEMAKER_SUBMIT_DIRECTORY": "/opt/ml/model/code",
        "HF_HUB_OFFLINE": "1",
    },
}


def image_for(settings: Settings, runtime: str, region: str) -> str:
    """The image that a model for `runtime` is served in.

    Raises:
        ConfigurationError: our image's repository is not set, or no repository of ECR.
    """
    if settings.deploy.image:
        return settings.deploy.image.format(region=region)
    if runtime == "pytorch":
        return AWS_IMAGE.format(region=region)
    return f"{_repository(settings)[0]}:{tag()}"


def tag() -> str:
    """The name of what `serving/` holds: the first digits of its files' hash."""
    files = sorted(
        path for path in SOURCES.rglob("*") if path.is_file() and "__pycache__" not in path.parts
    )
    hashes = {path.relative_to(SOURCES).as_posix(): file_hash(path) for path in files}
    return hash_of(hashes)[:TAG_DIGITS]


def _repository(settings: Settings) -> tuple[str, str, str]:
    """Our repository's address, its account and its name."""
    try:
        address = settings.require("deploy", "image_repository")
    except ConfigurationError as error:
        raise ConfigurationError(
            f"{error} `make bootstrap` makes the repository and prints its address. To do without "
            "one, export the model with --runtime pytorch: it runs in AWS's own image."
        ) from error
    found = REPOSITORY.fullmatch(address)
    if not found:
        raise ConfigurationError(
            f"image_repository is {address!r}, expected the address of an ECR repository without a "
            "tag, such as 123456789012.dkr.ecr.us-east-1.amazonaws.com/t5-sentiment."
        )
    return address, found[1], found[2]


def look(settings: Settings, clients: Clients) -> Outcome:
    """Look whether our image is in its repository; `reused` where it is.

    Raises:
        ConfigurationError: the repository is not set.
        DeployError: AWS refused to tell, or the image there is one that SageMaker refuses.
    """
    address, account, name = _repository(settings)
    image = {"imageIds": [{"imageTag": tag()}]}
    with aws_errors(DeployError, f"Looking for the image in {address!r}"):
        found = find(clients.ecr.describe_images, registryId=account, repositoryName=name, **image)
    images = found["imageDetails"] if found else []
    for media_type in (each.get("imageManifestMediaType", "") for each in images):
        _refuse_oci(media_type, name)
    exists = bool(images)
    github.set_output("image", f"{address}:{tag()}")
    github.set_output("exists", "true" if exists else "false")
    seen = "is there" if exists else "has to be built"
    return Outcome("reused" if exists else "done", f"{address}:{tag()} {seen}")


def _refuse_oci(media_type: str, name: str) -> None:
    """CreateModel would: https://github.com/aws/amazon-sagemaker-feedback/issues/180"""
    if media_type.startswith(OCI):
        raise DeployError(
            f"The image {name}:{tag()} has the manifest media type {media_type!r}, expected "
            f"{DOCKER!r}: SageMaker serves no other. Delete it (aws ecr batch-delete-image "
            f"--repository-name {name} --image-ids imageTag={tag()}) and run this again: the "
            "workflow builds it as `docker buildx build --provenance=false --output type=docker`."
        )


if __name__ == "__main__":
    sys.exit(step.main(look, __doc__))
