"""The history of an environment in S3, and the way back to a release in it.

A release enters the history once it has passed its smoke test, so a way back never leads to one
that was never good. Each record is an object of its own, named by its time:
s3://<bucket>/<name>/releases/<environment>/<time>.json
"""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from itertools import islice
from typing import Any

from pipeline_steps import endpoint, scaling
from pipeline_steps.aws import Clients, aws_errors, create, find
from pipeline_steps.errors import DeployError, PipelineError
from pipeline_steps.evaluation_artefacts import Evaluation
from pipeline_steps.release_artefacts import ROLLED_BACK, ReleaseRecord
from pipeline_steps.settings import Settings

ALIAS = "live"
MOST = 100  # records in which a release to go back to is looked for


def history(settings: Settings, clients: Clients) -> list[ReleaseRecord]:
    """What was released to this environment, the newest first, at most `MOST` of it.

    Raises:
        DeployError: a record is not one that this code wrote.
    """
    return list(islice(newest_first(settings, clients), MOST))


def newest(settings: Settings, clients: Clients) -> ReleaseRecord | None:
    """The last release; None where there never was one."""
    return next(newest_first(settings, clients), None)


def newest_first(settings: Settings, clients: Clients) -> Iterator[ReleaseRecord]:
    """The history since the last teardown; each record is read when it is asked for."""
    bucket = settings.require("deploy", "bucket")
    pages = clients.s3.get_paginator("list_objects_v2").paginate(
        Bucket=bucket, Prefix=_prefix(settings)
    )
    keys = sorted(item["Key"] for page in pages for item in page.get("Contents", []))
    for key in reversed(keys):
        known = _read(clients.s3, bucket, key)
        if known.reason == "teardown":
            return
        yield known


def _prefix(settings: Settings) -> str:
    return f"{settings.deploy.name}/releases/{settings.deploy.environment}/"


def _read(s3: Any, bucket: str, key: str) -> ReleaseRecord:
    try:
        text = s3.get_object(Bucket=bucket, Key=key)["Body"].read()
        return ReleaseRecord.parse(text, strict=False)
    except ValueError as error:
        raise DeployError(
            f"s3://{bucket}/{key} is no record of a release that this checkout can read ({error}). "
            "Use a newer checkout, or restore the object's version of before."
        ) from error


def record(settings: Settings, clients: Clients, made: ReleaseRecord) -> None:
    """Append to the history, unless its newest record says the same already."""
    last = newest(settings, clients)
    # A release that was gone back to, and is shipped again, is nothing new either.
    told = last and last.identity == made.identity and made.reason in ("release", last.reason)
    if not told:
        _append(settings, clients, made)


def close(settings: Settings, clients: Clients) -> None:
    """Note in the history, if there is one, that what it tells of was torn down."""
    last = newest(settings, clients)
    if last:
        moment = now()
        torn_down = replace(last, released_at=moment, reason="teardown", replaced=last.identity)
        _append(settings, clients, torn_down)


def _append(settings: Settings, clients: Clients, made: ReleaseRecord) -> None:
    moment = made.released_at.replace(":", "").replace("-", "")
    create(
        clients.s3.put_object,
        Bucket=settings.require("deploy", "bucket"),
        Key=f"{_prefix(settings)}{moment}.json",
        Body=made.text().encode(),
        ContentType="application/json",
        IfNoneMatch="*",  # a record is written once
    )


def now() -> str:
    """The present moment as the history writes it; sorts as it reads."""
    return datetime.now(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


def serving(settings: Settings, clients: Clients) -> str | None:
    """The identity of what serves now; None where there is no endpoint or no function."""
    found = endpoint.describe(settings, clients.sagemaker)
    alias = find(clients.lambda_.get_alias, FunctionName=settings.resource_name, Name=ALIAS)
    return f"{found['EndpointConfigName']}@{alias['FunctionVersion']}" if found and alias else None


def previous(records: list[ReleaseRecord], identity: str | None) -> ReleaseRecord | None:
    """The release to go back to while `identity` serves; None where there is none.

    That is the one before the newest, also half-way there, so that a rollback that was killed comes
    to the same. Where something else serves, which never passed its test, it is the newest.
    """
    if not records:
        return None
    last = records[0]
    before = next((known for known in records if known.identity != last.identity), None)
    on_the_way = {known.identity for known in records}
    if before and _is_older(before.function_version, last.function_version):
        on_the_way.add(f"{last.endpoint_config_name}@{before.function_version}")
    elif before:
        on_the_way.add(f"{before.endpoint_config_name}@{last.function_version}")
    return before if identity in on_the_way else last


def _is_older(version: str, than: str) -> bool:
    # A function reads the answers of every endpoint since its own, so it must never be the newer:
    # it is moved first on the way to an older one, and last on the way to a newer one.
    return int(version) < int(than)


def go_back(settings: Settings, clients: Clients, target: ReleaseRecord) -> None:
    """Have endpoint and function be those of `target`, together.

    Raises:
        DeployError: the endpoint does not take the configuration.
    """
    config, version = target.endpoint_config_name, target.function_version
    alias = clients.lambda_.get_alias(FunctionName=settings.resource_name, Name=ALIAS)
    older = _is_older(version, alias["FunctionVersion"])
    if older:
        _point_alias(settings, clients, version)
    scaling.pause(settings, clients)
    endpoint.bring_to(settings, clients.sagemaker, config, fallback=None)
    if not older:
        _point_alias(settings, clients, version)
    scaling.resume(settings, clients, config)


def _point_alias(settings: Settings, clients: Clients, version: str) -> None:
    clients.lambda_.update_alias(
        FunctionName=settings.resource_name, Name=ALIAS, FunctionVersion=version
    )


def undo(settings: Settings, clients: Clients) -> str:
    """After a release that failed: go back to the last good one; says in words what serves now.

    Never raises what AWS or the endpoint have against it: the failure that led here is the one to
    be told, and the sentence says that the way back failed too.
    """
    name = settings.resource_name
    try:
        with aws_errors(DeployError, "Going back"):
            target = newest(settings, clients)
            if target is None:
                return f"{name} has no release before it to go back to: it is left as it is."
            if target.identity == serving(settings, clients):
                return (
                    f"Nothing was rolled back: {target.model_version} passed this test when it "
                    f"was released at {target.released_at}, and nothing has replaced it since."
                )
            go_back(settings, clients, target)
    except PipelineError as error:
        return (
            f"It was NOT rolled back, because that failed too: {error} To go back: "
            f"python -m pipeline_steps.rollback --profile {settings.profile} "
            f"--environment {settings.deploy.environment}"
        )
    return f"{ROLLED_BACK}{target.model_version} ({target.endpoint_config_name}) serves again."


def evaluation_of(clients: Clients, released: ReleaseRecord) -> Evaluation:
    """The evaluation that was shipped with a release, with its golden answers.

    Raises:
        DeployError: it is gone, or not readable.
    """
    bucket, _, key = released.model_data_url.removeprefix("s3://").partition("/")
    beside = f"{key.rpartition('/')[0]}/{Evaluation.FILE}"
    found = find(clients.s3.get_object, Bucket=bucket, Key=beside)
    try:
        if found is None:
            raise ValueError("it is gone")
        return Evaluation.parse(found["Body"].read(), strict=False)
    except ValueError as error:
        raise DeployError(
            f"s3://{bucket}/{beside}, the evaluation of {released.model_version}, cannot be read "
            f"({error}). Without its golden answers the release cannot be proven."
        ) from error
