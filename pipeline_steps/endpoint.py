"""The SageMaker endpoint of an environment: brought to a configuration, and never worse off.

An endpoint is created once and then updated in place: the old model answers until the new one is
ready. https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_UpdateEndpoint.html
"""

import time
from typing import Any

from botocore.exceptions import ClientError, WaiterError

from pipeline_steps.aws import create, delete, find, wait
from pipeline_steps.errors import DeployError
from pipeline_steps.settings import Settings

VARIANT = "AllTraffic"
BUSY = ("Creating", "Updating", "SystemUpdating", "RollingBack", "Deleting")
# Another run may have its turn first; a third one in a row is more than a coincidence.
TRIES = 3


def describe(settings: Settings, sagemaker: Any) -> dict[str, Any] | None:
    """The endpoint as it is now; None where there is none."""
    return find(sagemaker.describe_endpoint, EndpointName=settings.resource_name)


def bring_to(settings: Settings, sagemaker: Any, config: str, fallback: str | None) -> bool:
    """Have the endpoint serve `config`; gives whether anything had to be changed.

    Args:
        settings: name, patience and tags.
        sagemaker: boto3's client.
        config: the EndpointConfig that is to serve.
        fallback: the last good one, which is restored where AWS leaves the endpoint Failed.

    Raises:
        DeployError: it did not take `config`; the message says what serves instead.
    """
    changed = False
    for _ in range(TRIES):
        found = settled(settings, sagemaker)
        status = found["EndpointStatus"] if found else None
        if status == "Failed":
            restored = _replace_failed(settings, sagemaker, config, fallback)
            if restored == config:
                _verify(settings, sagemaker, config, fallback)
        elif status == "OutOfService":
            raise DeployError(
                f"The endpoint {settings.resource_name!r} is OutOfService: AWS has taken it away, "
                "and only AWS can give it back. Ask AWS Support, or tear it down and deploy anew."
            )
        elif found and status == "InService" and found["EndpointConfigName"] == config:
            return changed
        elif _start(settings, sagemaker, config, found):
            _wait(settings, sagemaker)
            _verify(settings, sagemaker, config, fallback)
        changed = True
    found = settled(settings, sagemaker)
    if found is None or found["EndpointConfigName"] != config:
        raise DeployError(
            f"The endpoint {settings.resource_name!r} was changed by another run each time this "
            f"one tried. {_serves(found)} Let the other run end, then run this again."
        )
    return changed


def settled(settings: Settings, sagemaker: Any) -> dict[str, Any] | None:
    """The endpoint once nothing is in progress; None where there is none.

    Raises:
        DeployError: it is still in progress after `endpoint_timeout` seconds.
    """
    found = describe(settings, sagemaker)
    status = found["EndpointStatus"] if found else None
    if status not in BUSY:
        return found
    print(f"  endpoint {settings.resource_name} is {status}: waiting for it first", flush=True)
    if status == "Deleting":
        wait_until_gone(settings, sagemaker)
    else:
        _wait(settings, sagemaker)
    return describe(settings, sagemaker)


def wait_until_gone(settings: Settings, sagemaker: Any) -> None:
    """Wait until there is no such endpoint.

    botocore's waiter gives up where it sees Failed, which is what is deleted here.

    Raises:
        DeployError: it is still there after `endpoint_timeout` seconds.
    """
    deadline = time.monotonic() + settings.deploy.endpoint_timeout
    while found := describe(settings, sagemaker):
        if time.monotonic() > deadline:
            raise DeployError(
                f"The endpoint {settings.resource_name!r} is still {found['EndpointStatus']} "
                f"{settings.deploy.endpoint_timeout} s after its deletion (--endpoint-timeout). "
                "Run the same command again: it waits on."
            )
        time.sleep(settings.deploy.poll_seconds)


def _start(settings: Settings, sagemaker: Any, config: str, found: dict[str, Any] | None) -> bool:
    """Ask for `config`; False where something else turned out to be in progress."""
    name = settings.resource_name
    if found is None:
        tags = [{"Key": key, "Value": value} for key, value in settings.tags.items()]
        return create(
            sagemaker.create_endpoint, EndpointName=name, EndpointConfigName=config, Tags=tags
        )
    variant = found["ProductionVariants"][0]
    deploy = settings.deploy
    # What was scaled out under load must not shrink because a release comes.
    scaled = "CurrentInstanceCount" in variant and deploy.min_capacity < deploy.max_capacity
    try:
        sagemaker.update_endpoint(
            EndpointName=name, EndpointConfigName=config, RetainAllVariantProperties=scaled
        )
    except ClientError as error:
        # Another run's update, or this very one, when the answer to it was lost.
        if "in-progress" not in error.response["Error"]["Message"]:
            raise
        return False
    return True


def _verify(settings: Settings, sagemaker: Any, config: str, fallback: str | None) -> None:
    """Raise unless `config` serves; a Failed endpoint gets its fallback back first."""
    now = describe(settings, sagemaker)
    if now and now["EndpointStatus"] == "InService" and now["EndpointConfigName"] == config:
        return
    reason = (now or {}).get("FailureReason", "AWS gives no reason.")
    if now and now["EndpointStatus"] == "Failed" and fallback not in (None, config):
        _replace_failed(settings, sagemaker, config, fallback)
        now = describe(settings, sagemaker)
    # An update that fails ends "InService" too: with the configuration of before.
    raise DeployError(
        f"The endpoint {settings.resource_name!r} did not take {config!r}: {reason} "
        f"{_serves(now)} The container's log group is "
        f"/aws/sagemaker/Endpoints/{settings.resource_name}."
    )


def _serves(now: dict[str, Any] | None) -> str:
    if now and now["EndpointStatus"] == "InService":
        return f"{now['EndpointConfigName']!r} still serves."
    return "Nothing serves: there was no release before it to go back to."


def _replace_failed(settings: Settings, sagemaker: Any, config: str, fallback: str | None) -> str:
    """Make a Failed endpoint anew, as AWS allows nothing but its deletion; gives what it got.

    That is `fallback`, as it was good, or `config` where there is none.
    """
    name = settings.resource_name
    kept = fallback and find(sagemaker.describe_endpoint_config, EndpointConfigName=fallback)
    chosen = fallback if fallback and kept else config
    print(f"  endpoint {name} is Failed: making it anew with {chosen}", flush=True)
    delete(sagemaker.delete_endpoint, EndpointName=name)
    wait_until_gone(settings, sagemaker)
    tags = [{"Key": key, "Value": value} for key, value in settings.tags.items()]
    create(sagemaker.create_endpoint, EndpointName=name, EndpointConfigName=chosen, Tags=tags)
    _wait(settings, sagemaker)
    return chosen


def _wait(settings: Settings, sagemaker: Any) -> None:
    """Wait until the endpoint is InService or Failed."""
    name = settings.resource_name
    patience = settings.deploy.endpoint_timeout, settings.deploy.poll_seconds
    try:
        wait(sagemaker, "endpoint_in_service", *patience, EndpointName=name)
    except WaiterError as error:
        found = describe(settings, sagemaker)
        if found and found["EndpointStatus"] == "Failed":
            return
        status = found["EndpointStatus"] if found else "gone"
        raise DeployError(
            f"The endpoint {name!r} is {status} after {settings.deploy.endpoint_timeout} s: "
            f"{error} What served before goes on serving meanwhile. Run the same command again: "
            "it waits on. A longer wait is --endpoint-timeout."
        ) from error
