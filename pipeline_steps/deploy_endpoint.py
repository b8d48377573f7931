"""Put the model behind a SageMaker Serverless endpoint: S3, Model, EndpointConfig, Endpoint.

    python -m pipeline_steps.deploy_endpoint --profile sst2

Reads `model.tar.gz` and `manifest.json`, writes `release.json`. An endpoint is created once and
then updated in place: the old model answers until the new one is ready, and its configuration is
kept. https://docs.aws.amazon.com/sagemaker/latest/dg/serverless-endpoints.html
"""

import sys
from pathlib import Path
from typing import Any

from botocore.exceptions import WaiterError

from pipeline_steps import step
from pipeline_steps.artefacts import Manifest, Release
from pipeline_steps.aws import Clients, aws_errors, find
from pipeline_steps.errors import ConfigurationError, DeployError
from pipeline_steps.files import file_hash, hash_of
from pipeline_steps.settings import Settings
from pipeline_steps.step import Outcome

POLL_SECONDS = 2
BUSY = ("Creating", "Updating", "SystemUpdating", "RollingBack")
VARIANT = "AllTraffic"
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
        DeployError: AWS refused a call, or the endpoint did not take the new model.
    """
    manifest = Manifest.load(settings.work_dir)
    tarball = settings.work_dir / "model.tar.gz"
    if not tarball.is_file() or file_hash(tarball) != manifest.tarball_sha256:
        raise DeployError(
            f"{tarball} is not the file that {Manifest.FILE} describes. "
            "Run `python -m pipeline_steps.package_model` with the same flags again."
        )
    endpoint = settings.deploy.name
    tags = [
        {"Key": "project", "Value": "t5-sentiment"},
        {"Key": "environment", "Value": settings.profile},
        {"Key": "model_version", "Value": manifest.model_version},
    ]
    with aws_errors(DeployError, f"Deploying to the endpoint {endpoint!r}"):
        url = _upload(settings, clients.s3, manifest, tarball)
        name = _create_config(settings, clients.sagemaker, manifest, url, tags)
        before = _settled(settings, clients.sagemaker, endpoint)
        changed = _point_endpoint(clients.sagemaker, endpoint, name, before, tags)
        if changed:
            _wait(settings, clients.sagemaker, endpoint)
        now = clients.sagemaker.describe_endpoint(EndpointName=endpoint)
    _refuse_other(now, name)
    _record(settings, manifest, url, name, before)
    detail = f"endpoint {endpoint} serves {manifest.model_version}"
    return Outcome("done" if changed else "reused", detail)


def _upload(settings: Settings, s3: Any, manifest: Manifest, tarball: Path) -> str:
    bucket = settings.require("deploy", "bucket")
    # The hash in the key makes an object final: what is there is never written again.
    prefix = f"{settings.deploy.name}/{manifest.model_version}/{manifest.tarball_sha256[:16]}"
    for path in (settings.work_dir / Manifest.FILE, tarball):
        key = f"{prefix}/{path.name}"
        if find(s3.head_object, Bucket=bucket, Key=key) is None:
            s3.upload_file(str(path), bucket, key, ExtraArgs={"ChecksumAlgorithm": "SHA256"})
    return f"s3://{bucket}/{prefix}/{tarball.name}"


def _create_config(
    settings: Settings, sagemaker: Any, manifest: Manifest, url: str, tags: list[dict[str, str]]
) -> str:
    """Create the Model and the EndpointConfig, both under one name that says what is in them."""
    region = sagemaker.meta.region_name
    role = settings.require("deploy", "sagemaker_role_arn")
    container = {
        "Image": settings.deploy.image.format(region=region),
        "ModelDataUrl": url,
        "Environment": CONTAINER_ENVIRONMENT,
    }
    serverless = {
        "MemorySizeInMB": settings.deploy.memory_mb,
        "MaxConcurrency": settings.deploy.max_concurrency,
    }
    digest = hash_of([container, serverless, role])[:8]
    name = f"{settings.deploy.name}-{manifest.model_version}-{digest}"
    if len(name) > MAX_NAME:
        raise ConfigurationError(
            f"The resource name {name!r} has {len(name)} characters, SageMaker allows {MAX_NAME}. "
            f"Choose a shorter name in [{settings.profile}.deploy]."
        )
    if find(sagemaker.describe_model, ModelName=name) is None:
        sagemaker.create_model(
            ModelName=name, PrimaryContainer=container, ExecutionRoleArn=role, Tags=tags
        )
    if find(sagemaker.describe_endpoint_config, EndpointConfigName=name) is None:
        variant = {"VariantName": VARIANT, "ModelName": name, "ServerlessConfig": serverless}
        sagemaker.create_endpoint_config(
            EndpointConfigName=name, ProductionVariants=[variant], Tags=tags
        )
    return name


def _settled(settings: Settings, sagemaker: Any, endpoint: str) -> dict[str, Any] | None:
    """The endpoint as it is once nothing is in progress; None where there is none."""
    found = find(sagemaker.describe_endpoint, EndpointName=endpoint)
    if found and found["EndpointStatus"] in BUSY:
        print(f"  endpoint {endpoint} is {found['EndpointStatus']}: waiting for it first")
        _wait(settings, sagemaker, endpoint)
        found = find(sagemaker.describe_endpoint, EndpointName=endpoint)
    if found and found["EndpointStatus"] == "Failed":
        # It answers nobody, and AWS allows nothing but its deletion.
        print(f"  endpoint {endpoint} is Failed: deleting it to create it anew")
        sagemaker.delete_endpoint(EndpointName=endpoint)
        sagemaker.get_waiter("endpoint_deleted").wait(
            EndpointName=endpoint, WaiterConfig=_polling(settings)
        )
        return None
    return found


def _point_endpoint(
    sagemaker: Any,
    endpoint: str,
    config: str,
    before: dict[str, Any] | None,
    tags: list[dict[str, str]],
) -> bool:
    if before is None:
        sagemaker.create_endpoint(EndpointName=endpoint, EndpointConfigName=config, Tags=tags)
    elif before["EndpointConfigName"] != config:
        sagemaker.update_endpoint(EndpointName=endpoint, EndpointConfigName=config)
    else:
        return False
    return True


def _wait(settings: Settings, sagemaker: Any, endpoint: str) -> None:
    try:
        sagemaker.get_waiter("endpoint_in_service").wait(
            EndpointName=endpoint, WaiterConfig=_polling(settings)
        )
    except WaiterError as error:
        found = sagemaker.describe_endpoint(EndpointName=endpoint)
        reason = found.get("FailureReason", str(error))
        raise DeployError(
            f"The endpoint {endpoint!r} is {found['EndpointStatus']} after at most "
            f"{settings.deploy.endpoint_timeout} s: {reason} See its log group "
            f"/aws/sagemaker/Endpoints/{endpoint}; a longer wait is --endpoint-timeout."
        ) from error


def _polling(settings: Settings) -> dict[str, int]:
    attempts = max(1, settings.deploy.endpoint_timeout // POLL_SECONDS)
    return {"Delay": POLL_SECONDS, "MaxAttempts": attempts}


def _refuse_other(now: dict[str, Any], config: str) -> None:
    # An update that fails ends "InService" too: with the configuration of before.
    if now["EndpointConfigName"] != config or now["EndpointStatus"] != "InService":
        raise DeployError(
            f"The endpoint {now['EndpointName']!r} did not take {config!r}: "
            f"{now.get('FailureReason', 'no reason given')} "
            f"{now['EndpointConfigName']!r} still serves."
        )


def _record(
    settings: Settings, manifest: Manifest, url: str, name: str, before: dict[str, Any] | None
) -> None:
    previous = before["EndpointConfigName"] if before else None
    if previous == name:
        previous = _previous_known(Release.find(settings.work_dir), name)
    Release(
        model_version=manifest.model_version,
        endpoint_name=settings.deploy.name,
        endpoint_config_name=name,
        previous_endpoint_config_name=previous,
        model_name=name,
        model_data_url=url,
        tarball_sha256=manifest.tarball_sha256,
    ).save(settings.work_dir)


def _previous_known(known: Release | None, name: str) -> str | None:
    """What served before `name`, as far as `release.json` knows.

    A run killed after its update has left the file of the release before; any other has written
    that one's name down.
    """
    if known is None:
        return None
    if known.endpoint_config_name != name:
        return known.endpoint_config_name
    return known.previous_endpoint_config_name


if __name__ == "__main__":
    sys.exit(step.main(run, __doc__))
