"""Delete what no release that is kept needs: models, configurations, function versions, doubles.

Kept are the last `keep_releases` releases of the history, what serves now, and everything younger
than that: another run may just be making it. What lies in S3 stays: it is the audit trail.
"""

from collections.abc import Iterator
from datetime import datetime
from typing import Any

from pipeline_steps import endpoint, http_api, releases
from pipeline_steps.aws import Clients, delete
from pipeline_steps.names import version_in
from pipeline_steps.release_artefacts import ReleaseRecord
from pipeline_steps.settings import Settings


def collect(settings: Settings, clients: Clients) -> list[str]:
    """Delete the garbage of one environment; gives the names of what was deleted."""
    serving = endpoint.describe(settings, clients.sagemaker)
    if serving is None:
        return []
    kept = _kept(settings, releases.newest_first(settings, clients))
    configs = {serving["EndpointConfigName"], *(release.endpoint_config_name for release in kept)}
    return [
        *_collect_models(settings, clients.sagemaker, serving["EndpointConfigName"], configs),
        *_collect_versions(settings, clients.lambda_, {r.function_version for r in kept}),
        *http_api.collect_doubles(settings, clients.apigateway),
    ]


def _kept(settings: Settings, records: Iterator[ReleaseRecord]) -> list[ReleaseRecord]:
    """The newest releases; one that was gone back to counts once."""
    kept: dict[str, ReleaseRecord] = {}
    while len(kept) < settings.deploy.keep_releases:
        release = next(records, None)
        if release is None:
            break
        kept.setdefault(release.identity, release)
    return list(kept.values())


def _collect_models(
    settings: Settings, sagemaker: Any, serving: str, kept: set[str]
) -> Iterator[str]:
    """Delete configurations first: a model without one is found again, and the other way not."""
    made = sagemaker.describe_endpoint_config(EndpointConfigName=serving)["CreationTime"]
    for name in _ours(settings, sagemaker, "endpoint_configs", "EndpointConfig", made):
        if name not in kept:
            delete(sagemaker.delete_endpoint_config, EndpointConfigName=name)
            yield name
    for name in _ours(settings, sagemaker, "models", "Model", made):
        if name not in kept:
            delete(sagemaker.delete_model, ModelName=name)
            yield name


def _ours(
    settings: Settings, sagemaker: Any, plural: str, kind: str, before: datetime
) -> list[str]:
    pages = sagemaker.get_paginator(f"list_{plural}").paginate(
        NameContains=f"{settings.resource_name}-"
    )
    return [
        item[f"{kind}Name"]
        for page in pages
        for item in page[f"{kind}s"]
        if version_in(settings, item[f"{kind}Name"]) and item["CreationTime"] < before
    ]


def _collect_versions(settings: Settings, lambda_: Any, kept: set[str]) -> Iterator[str]:
    function = settings.resource_name
    live = lambda_.get_alias(FunctionName=function, Name=releases.ALIAS)["FunctionVersion"]
    pages = lambda_.get_paginator("list_versions_by_function").paginate(FunctionName=function)
    versions = [item["Version"] for page in pages for item in page["Versions"]]
    for version in versions:
        if version != "$LATEST" and int(version) < int(live) and version not in kept:
            delete(lambda_.delete_function, FunctionName=function, Qualifier=version)
            yield f"{function}:{version}"
