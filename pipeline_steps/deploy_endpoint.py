"""Put the model behind a SageMaker endpoint: S3, Model Registry, Model, EndpointConfig, Endpoint.

    python -m pipeline_steps.deploy_endpoint --profile sst2 --environment staging

Reads `model.tar.gz` and `manifest.json`, writes `release.json`. The old model answers until the
new one is ready, and its configuration is kept. Production takes approved models only.
https://docs.aws.amazon.com/sagemaker/latest/dg/serverless-endpoints.html
"""

import contextlib
import sys
from pathlib import Path
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from pipeline_steps import endpoint, registry, releases, scaling, serving_image, step
from pipeline_steps.aws import (
    Clients,
    aws_errors,
    create,
    find,
    when_role_is_usable,
)
from pipeline_steps.errors import ConfigurationError, DeployError
from pipeline_steps.evaluation_artefacts import Evaluation
from pipeline_steps.files import file_hash
from pipeline_steps.model_artefacts import Manifest
from pipeline_steps.model_bucket import ModelBucket
from pipeline_steps.names import name_of
from pipeline_steps.predictions import Predictions
from pipeline_steps.release_artefacts import Release
from pipeline_steps.settings import Settings
from pipeline_steps.step import Outcome


def run(settings: Settings, clients: Clients) -> Outcome:
    """Bring the endpoint to the packaged model; what is already so is left alone.

    Raises:
        ConfigurationError: the bucket or the role is not set.
        DeployError: AWS refused a call, the model is not approved, or the endpoint did not take it.
    """
    manifest = Manifest.load(settings.work_dir)
    tarball = settings.work_dir / "model.tar.gz"
    if not tarball.is_file() or file_hash(tarball) != manifest.tarball_sha256:
        raise DeployError(
            f"{tarball} is not the file that {Manifest.FILE} describes. "
            "Run `python -m pipeline_steps.package_model` with the same flags again."
        )
    for name in ("bucket", "sagemaker_role_arn", "lambda_role_arn"):
        settings.require("deploy", name)  # nothing is begun that cannot be finished
    wanted = settings.deploy.tarball_sha256
    if wanted and wanted != manifest.tarball_sha256:
        raise DeployError(
            f"{tarball} has the SHA-256 {manifest.tarball_sha256}, expected {wanted}: it is not "
            "the one that was packed in this run. Nothing was deployed. Run the workflow again, "
            "and find out who can write to its artifacts."
        )
    sagemaker = clients.sagemaker
    staged = (
        settings.deploy.environment == "production" and settings.deploy.approval != "evaluation"
    )
    with aws_errors(DeployError, f"Deploying to the endpoint {settings.resource_name!r}"):
        if staged:
            registry.refuse_unknown(settings, sagemaker, manifest)
        url = _upload(settings, clients, manifest, tarball)
        container: dict[str, Any] = {
            "Image": serving_image.image_for(
                settings, manifest.runtime, sagemaker.meta.region_name
            ),
            "ModelDataUrl": url,
            "Environment": serving_image.ENVIRONMENT[manifest.runtime],
        }
        package = registry.register(settings, sagemaker, manifest, container["Image"], url)
        if settings.deploy.environment == "production":
            registry.refuse_unapproved(settings, sagemaker, package)
        name = _create_config(settings, sagemaker, manifest, container)
        changed = _switch(settings, clients, name)
    Release(
        model_version=manifest.model_version,
        endpoint_name=settings.resource_name,
        endpoint_config_name=name,
        model_data_url=url,
        tarball_sha256=manifest.tarball_sha256,
        model_package_arn=package,
    ).save(settings.environment_dir)
    detail = f"endpoint {settings.resource_name} serves {manifest.model_version}"
    return Outcome("done" if changed else "reused", detail)


def _upload(settings: Settings, clients: Clients, manifest: Manifest, tarball: Path) -> str:
    """Upload what is not there yet; gives the tarball's URL."""
    bucket = ModelBucket(settings, clients)
    prefix = f"{settings.deploy.name}/{manifest.model_version}/{manifest.tarball_sha256[:16]}"
    # The answers spare the next model's evaluation from asking this one.
    beside = [settings.work_dir / kind.FILE for kind in (Evaluation, Predictions, Manifest)]
    with bucket.refusals(DeployError):
        for path in (*(path for path in beside if path.is_file()), tarball):
            bucket.upload_once(f"{prefix}/{path.name}", path)
    return bucket.url(f"{prefix}/{tarball.name}")


def _create_config(
    settings: Settings, sagemaker: Any, manifest: Manifest, container: dict[str, Any]
) -> str:
    """Create the Model and the EndpointConfig, both under one name that says what is in them."""
    role = settings.require("deploy", "sagemaker_role_arn")
    capacity = scaling.capacity(settings)
    content = [container, capacity, role]
    name = name_of(settings, settings.resource_name, manifest.model_version, content)
    described = {**settings.tags, "model_version": manifest.model_version}
    tags = [{"Key": key, "Value": value} for key, value in described.items()]
    if find(sagemaker.describe_model, ModelName=name) is None:
        model = {"PrimaryContainer": container, "ExecutionRoleArn": role, "Tags": tags}
        when_role_is_usable(
            lambda: create(sagemaker.create_model, ModelName=name, **model),
            settings.deploy.role_timeout,
            settings.deploy.poll_seconds,
        )
    if find(sagemaker.describe_endpoint_config, EndpointConfigName=name) is None:
        variant = {"VariantName": endpoint.VARIANT, "ModelName": name, **capacity}
        create(
            sagemaker.create_endpoint_config,
            EndpointConfigName=name,
            ProductionVariants=[variant],
            Tags=tags,
        )
    return name


def _switch(settings: Settings, clients: Clients, name: str) -> bool:
    """Have the endpoint serve the configuration `name`, and scale it."""
    found = endpoint.describe(settings, clients.sagemaker)
    if found and found["EndpointConfigName"] != name:
        _refuse_other_mode(settings, found)
        scaling.pause(settings, clients)
    good = releases.newest(settings, clients)
    fallback = good.endpoint_config_name if good else None
    try:
        changed = endpoint.bring_to(settings, clients.sagemaker, name, fallback)
    except (DeployError, ClientError, BotoCoreError):
        # What led here is the one to be told; should this fail too, the next run scales again.
        with contextlib.suppress(ClientError, BotoCoreError):
            now = endpoint.describe(settings, clients.sagemaker)
            if now and now["EndpointStatus"] == "InService":
                scaling.resume(settings, clients, now["EndpointConfigName"])
        raise
    scaling.resume(settings, clients, name)
    return changed


def _refuse_other_mode(settings: Settings, found: dict[str, Any]) -> None:
    """Raise where a release would change the endpoint's kind: AWS does not let it change back.

    https://docs.aws.amazon.com/sagemaker/latest/dg/serverless-endpoints-update.html
    """
    variants = found.get("ProductionVariants") or [{}]
    is_realtime = "CurrentInstanceCount" in variants[0]
    if found["EndpointStatus"] == "InService" and is_realtime != (
        settings.deploy.mode == "realtime"
    ):
        was = "realtime" if is_realtime else "serverless"
        raise ConfigurationError(
            f"The endpoint {settings.resource_name!r} is {was}, and --mode is not. "
            "Such a release could not be undone: AWS makes no realtime endpoint serverless again. "
            "Give the new kind a --name of its own, or tear the old endpoint down first."
        )


if __name__ == "__main__":
    sys.exit(step.main(run, __doc__))
