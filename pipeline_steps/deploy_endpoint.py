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

from boto3.exceptions import Boto3Error
from botocore.exceptions import BotoCoreError, ClientError

from pipeline_steps import endpoint, registry, releases, scaling, step
from pipeline_steps.artefacts import Evaluation, Manifest, Release
from pipeline_steps.aws import (
    Clients,
    aws_errors,
    create,
    exists_already,
    find,
    when_role_is_usable,
)
from pipeline_steps.errors import ConfigurationError, DeployError
from pipeline_steps.files import file_hash, hash_of
from pipeline_steps.settings import Settings
from pipeline_steps.step import Outcome

DENIED_CODES = ("AccessDenied", "403")  # a HEAD request is answered without a body
MAX_NAME = 63  # characters of a Model, EndpointConfig or Endpoint name
# What AWS's Hugging Face image needs to find our handler functions in the tarball.
CONTAINER_ENVIRONMENT = {
    "SAGEMAKER_PROGRAM": "inference.py",
    "SAGEMAKER_SUBMIT_DIRECTORY": "/opt/ml/model/code",
    "HF_HUB_OFFLINE": "1",
}


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
    sagemaker = clients.sagemaker
    staged = (
        settings.deploy.environment == "production" and settings.deploy.approval != "evaluation"
    )
    with aws_errors(DeployError, f"Deploying to the endpoint {settings.resource_name!r}"):
        if staged:
            registry.refuse_unknown(settings, sagemaker, manifest)
        url = _upload(settings, clients, manifest, tarball)
        container: dict[str, Any] = {
            "Image": settings.deploy.image.format(region=sagemaker.meta.region_name),
            "ModelDataUrl": url,
            "Environment": CONTAINER_ENVIRONMENT,
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
    bucket = settings.require("deploy", "bucket")
    # A bucket of that name in another account must not get our model.
    owner = {"ExpectedBucketOwner": clients.sts.get_caller_identity()["Account"]}
    prefix = f"{settings.deploy.name}/{manifest.model_version}/{manifest.tarball_sha256[:16]}"
    evaluation, described = (settings.work_dir / kind.FILE for kind in (Evaluation, Manifest))
    try:
        for path in (evaluation, described, tarball):
            key = f"{prefix}/{path.name}"
            if find(clients.s3.head_object, Bucket=bucket, Key=key, **owner) is None:
                _upload_once(clients.s3, path, bucket, key, owner)
    except ClientError as error:
        if error.response["Error"]["Code"] not in DENIED_CODES:
            raise
        raise DeployError(
            f"The bucket {bucket!r} refuses {error.operation_name} (403). Either it belongs to "
            f"another account than {owner['ExpectedBucketOwner']}, or the role in use may not "
            "read and write it. Set MODEL_BUCKET to the bucket that `make bootstrap` made."
        ) from error
    return f"s3://{bucket}/{prefix}/{tarball.name}"


def _upload_once(s3: Any, path: Path, bucket: str, key: str, owner: dict[str, str]) -> None:
    """Upload in parts, with checksums, what must never be overwritten: its key holds its hash."""

    def once(params: dict[str, Any], **_: Any) -> None:
        params["IfNoneMatch"] = "*"  # upload_file has no argument for it

    events = [
        f"provide-client-params.s3.{name}" for name in ("PutObject", "CompleteMultipartUpload")
    ]
    for event in events:
        s3.meta.events.register(event, once)
    try:
        extra = {"ChecksumAlgorithm": "SHA256", **owner}
        s3.upload_file(str(path), bucket, key, ExtraArgs=extra)
    except Boto3Error as error:
        # Whose error it is stands behind boto3's own.
        refused = error.__context__
        if not isinstance(refused, ClientError):
            raise
        if not exists_already(refused):
            raise refused from error
    finally:
        for event in events:
            s3.meta.events.unregister(event, once)


def _create_config(
    settings: Settings, sagemaker: Any, manifest: Manifest, container: dict[str, Any]
) -> str:
    """Create the Model and the EndpointConfig, both under one name that says what is in them."""
    role = settings.require("deploy", "sagemaker_role_arn")
    capacity = scaling.capacity(settings)
    digest = hash_of([container, capacity, role])[:8]
    name = f"{settings.resource_name}-{manifest.model_version}-{digest}"
    if len(name) > MAX_NAME:
        raise ConfigurationError(
            f"The resource name {name!r} has {len(name)} characters, SageMaker allows {MAX_NAME}. "
            f"Choose a shorter name in [{settings.profile}.deploy]."
        )
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
