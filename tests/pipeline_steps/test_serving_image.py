"""Which image a model is served in, and whether ours has to be built."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from local_aws.server import LocalAws
from pipeline_steps import serving_image
from pipeline_steps import settings as settings_module
from pipeline_steps.clients import Clients
from pipeline_steps.errors import ConfigurationError, DeployError
from pipeline_steps.settings import Settings

ADDRESS = "123456789012.dkr.ecr.us-east-1.amazonaws.com/t5-sentiment"


@pytest.fixture
def make(tmp_path: Path) -> Callable[..., Settings]:
    return lambda **overrides: settings_module.load("demo", tmp_path, overrides)


def test_onnx_runs_in_ours_and_pytorch_in_that_of_aws(make: Callable[..., Settings]) -> None:
    settings = make(image_repository=ADDRESS)
    ours = serving_image.image_for(settings, "onnx", "eu-west-1")
    assert ours == f"{ADDRESS}:{serving_image.tag()}"
    theirs = serving_image.image_for(settings, "pytorch", "eu-west-1")
    assert theirs.startswith("763104351884.dkr.ecr.eu-west-1.amazonaws.com/huggingface-pytorch")
    assert serving_image.image_for(make(image="me/{region}:1"), "onnx", "eu") == "me/eu:1"


def test_tag_is_of_the_sources(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(serving_image, "SOURCES", tmp_path)
    (tmp_path / "server.py").write_text("1")
    first = serving_image.tag()
    (tmp_path / "__pycache__").mkdir()
    (tmp_path / "__pycache__" / "server.pyc").write_text("compiled")
    assert serving_image.tag() == first
    (tmp_path / "server.py").write_text("2")
    assert serving_image.tag() != first


def test_missing_repository_says_both_ways_out(make: Callable[..., Settings]) -> None:
    with pytest.raises(ConfigurationError, match=r"IMAGE_REPOSITORY.*--runtime pytorch"):
        serving_image.image_for(make(), "onnx", "us-east-1")
    with pytest.raises(ConfigurationError, match=r"'t5:1', expected the address"):
        serving_image.image_for(make(image_repository="t5:1"), "onnx", "us-east-1")


def put_image(clients: Clients, media_type: str) -> None:
    """Keep an image in the repository, under the tag of today's sources."""
    clients.ecr.put_image(
        repositoryName="t5-sentiment",
        imageManifest=json.dumps({"schemaVersion": 2, "mediaType": media_type}),
        imageTag=serving_image.tag(),
    )


def test_image_is_built_once(
    aws: LocalAws,
    make: Callable[..., Settings],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("GITHUB_OUTPUT", str(tmp_path / "output"))
    clients, settings = Clients(), make()
    with pytest.raises(DeployError, match="RepositoryNotFound"):
        serving_image.look(settings, clients)
    clients.ecr.create_repository(repositoryName="t5-sentiment")
    assert serving_image.look(settings, clients).status == "done"
    put_image(clients, serving_image.DOCKER)
    assert serving_image.look(settings, clients).status == "reused"
    told = (tmp_path / "output").read_text().splitlines()
    image = f"image={ADDRESS}:{serving_image.tag()}"
    assert told == [image, "exists=false", image, "exists=true"]


@pytest.mark.parametrize("kind", ["manifest", "index"])
def test_image_that_sagemaker_refuses_is_told(
    aws: LocalAws, make: Callable[..., Settings], kind: str
) -> None:
    # GIVEN an image that was built with provenance, or in containerd's image store
    clients = Clients()
    clients.ecr.create_repository(repositoryName="t5-sentiment")
    put_image(clients, f"application/vnd.oci.image.{kind}.v1+json")
    # THEN it is refused before anything is deployed, with the way out
    with pytest.raises(DeployError, match=rf"vnd\.oci\.image\.{kind}.*batch-delete-image.*buildx"):
        serving_image.look(make(), clients)
