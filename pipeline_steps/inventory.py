"""All that AWS holds of an environment, found by its tags, and where there are none by its name.

What is told apart here is what the steps make; the bucket and the roles belong to the bootstrap
stack. https://docs.aws.amazon.com/resourcegroupstagging/latest/APIReference/API_GetResources.html
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial
from typing import Any

from pipeline_steps import endpoint, log_groups
from pipeline_steps.aws import Clients, delete, find
from pipeline_steps.names import version_in
from pipeline_steps.settings import Settings


@dataclass(frozen=True)
class Resource:
    """One thing that can be deleted: what it is, and how. `version` and `created` may be empty."""

    kind: str
    name: str
    version: str
    created: str
    delete: Callable[[], object]


@dataclass(frozen=True)
class Scope:
    """Where to look: an environment's settings, and the ARNs of all that carries its tags."""

    settings: Settings
    clients: Clients
    tagged: frozenset[str]

    @property
    def name(self) -> str:
        """The environment's: of its endpoint, function and API."""
        return self.settings.resource_name

    def names(self, part: str) -> list[str]:
        """The tagged names behind `part` of an ARN, and the environment's own."""
        behind = [arn.partition(part)[2] for arn in self.tagged if part in arn]
        return sorted({self.name, *(name for name in behind if "/" not in name)})

    def owns(self, tags: Mapping[str, str]) -> bool:
        """Whether `tags` are those of the environment."""
        return self.settings.tags.items() <= tags.items()


def of_environment(settings: Settings, clients: Clients) -> list[Resource]:
    """What one environment has, in the order of deletion; no file of the bucket."""
    scope = Scope(settings, clients, _tagged(settings, clients))
    return [resource for finder in FINDERS for resource in finder(scope)]


def _tagged(settings: Settings, clients: Clients) -> frozenset[str]:
    filters = [{"Key": key, "Values": [value]} for key, value in settings.tags.items()]
    pages = clients.tagging.get_paginator("get_resources").paginate(TagFilters=filters)
    # What was deleted a moment ago may still be told: who uses an ARN looks whether it is there.
    return frozenset(
        item["ResourceARN"] for page in pages for item in page["ResourceTagMappingList"]
    )


def plain(tags: list[dict[str, str]]) -> dict[str, str]:
    """Tags as a dictionary."""
    return {tag["Key"]: tag["Value"] for tag in tags}


def _apis(scope: Scope) -> Iterator[Resource]:
    gateway = scope.clients.apigateway
    for page in gateway.get_paginator("get_apis").paginate():
        for api in page["Items"]:
            if scope.owns(api.get("Tags", {})):
                remove = partial(delete, gateway.delete_api, ApiId=api["ApiId"])
                name = f"{api['Name']} ({api['ApiId']})"
                yield Resource("HTTP API", name, "", day(api["CreatedDate"]), remove)


def _functions(scope: Scope) -> Iterator[Resource]:
    lambda_ = scope.clients.lambda_
    for name in scope.names(":function:"):
        found = find(lambda_.get_function, FunctionName=name)
        if found and scope.owns(found.get("Tags", {})):
            # Its versions and its alias go with it.
            remove = partial(delete, lambda_.delete_function, FunctionName=name)
            made = found["Configuration"]["LastModified"][:10]
            yield Resource("function", name, _version(found.get("Tags", {})), made, remove)


def _alarms(scope: Scope) -> Iterator[Resource]:
    cloudwatch = scope.clients.cloudwatch
    pages = cloudwatch.get_paginator("describe_alarms").paginate(AlarmNamePrefix=scope.name)
    for alarm in (alarm for page in pages for alarm in page["MetricAlarms"]):
        # Their own tags, not those of the tagging API: it hears of a new alarm late.
        answer = find(cloudwatch.list_tags_for_resource, ResourceARN=alarm["AlarmArn"])
        if answer and scope.owns(plain(answer["Tags"])):
            name, made = alarm["AlarmName"], day(alarm["AlarmConfigurationUpdatedTimestamp"])
            remove = partial(delete, cloudwatch.delete_alarms, AlarmNames=[name])
            yield Resource("alarm", name, "", made, remove)


def _dashboards(scope: Scope) -> Iterator[Resource]:
    cloudwatch = scope.clients.cloudwatch
    pages = cloudwatch.get_paginator("list_dashboards").paginate(DashboardNamePrefix=scope.name)
    for page in pages:
        for board in page["DashboardEntries"]:
            if board["DashboardName"] == scope.name:  # staging's begins with production's
                remove = partial(delete, cloudwatch.delete_dashboards, DashboardNames=[scope.name])
                yield Resource("dashboard", scope.name, "", day(board["LastModified"]), remove)


def _scalable_targets(scope: Scope) -> Iterator[Resource]:
    autoscaling = scope.clients.autoscaling
    pages = autoscaling.get_paginator("describe_scalable_targets").paginate(
        ServiceNamespace="sagemaker"
    )
    for target in (target for page in pages for target in page["ScalableTargets"]):
        if target["ResourceId"].startswith(f"endpoint/{scope.name}/"):
            where = {
                key: target[key] for key in ("ServiceNamespace", "ResourceId", "ScalableDimension")
            }
            # Its policies go with it.
            remove = partial(delete, autoscaling.deregister_scalable_target, **where)
            made = day(target["CreationTime"])
            yield Resource("scalable target", target["ResourceId"], "", made, remove)


def _endpoints(scope: Scope) -> Iterator[Resource]:
    sagemaker = scope.clients.sagemaker
    for name in scope.names(":endpoint/"):
        found = find(sagemaker.describe_endpoint, EndpointName=name)
        if found is None:
            continue
        tags = tags_of(sagemaker, found["EndpointArn"])
        if scope.owns(tags):
            made = day(found["CreationTime"])
            yield Resource("endpoint", name, _version(tags), made, partial(_end, scope, name))


def tags_of(sagemaker: Any, arn: str) -> dict[str, str]:
    """The tags of a SageMaker resource, as it tells them itself: at once, and complete."""
    pages = sagemaker.get_paginator("list_tags").paginate(ResourceArn=arn)
    return plain([tag for page in pages for tag in page["Tags"]])


def _end(scope: Scope, name: str) -> None:
    """Delete an endpoint and wait until it is gone; one that is busy is waited for first."""
    # A name of its own, which only its tags gave away, is plain, as production's are.
    deploy = replace(scope.settings.deploy, name=name, environment="production")
    there, sagemaker = replace(scope.settings, deploy=deploy), scope.clients.sagemaker
    if endpoint.settled(there, sagemaker):
        delete(sagemaker.delete_endpoint, EndpointName=name)
    endpoint.wait_until_gone(there, sagemaker)


def _configs(scope: Scope) -> Iterator[Resource]:
    sagemaker = scope.clients.sagemaker
    for item, version in _listed(scope, "endpoint_configs", "EndpointConfig"):
        name = item["EndpointConfigName"]
        remove = partial(delete, sagemaker.delete_endpoint_config, EndpointConfigName=name)
        made = day(item["CreationTime"])
        yield Resource("endpoint configuration", name, version, made, remove)


def _models(scope: Scope) -> Iterator[Resource]:
    sagemaker = scope.clients.sagemaker
    for item, version in _listed(scope, "models", "Model"):
        name = item["ModelName"]
        remove = partial(delete, sagemaker.delete_model, ModelName=name)
        yield Resource("model", name, version, day(item["CreationTime"]), remove)


def _listed(scope: Scope, plural: str, kind: str) -> Iterator[tuple[dict[str, Any], str]]:
    """Those whose name the pipeline gives, with the version in it, and those with the tags."""
    for page in scope.clients.sagemaker.get_paginator(f"list_{plural}").paginate():
        for item in page[f"{kind}s"]:
            version = version_in(scope.settings, item[f"{kind}Name"])
            if version or item[f"{kind}Arn"] in scope.tagged:
                yield item, version or ""


def _version(tags: Mapping[str, str]) -> str:
    return tags.get("model_version", "")


def day(moment: datetime) -> str:
    """The day of a moment, in UTC."""
    return moment.astimezone(UTC).strftime("%Y-%m-%d")


def _log_groups(scope: Scope) -> Iterator[Resource]:
    logs = scope.clients.logs
    # Lambda and SageMaker may have made theirs themselves, without tags.
    known = {log_groups.of_function(scope.name), f"/aws/sagemaker/Endpoints/{scope.name}"}
    known |= {arn.partition(":log-group:")[2] for arn in scope.tagged if ":log-group:" in arn}
    for name in sorted(name.removesuffix(":*") for name in known):
        pages = logs.get_paginator("describe_log_groups").paginate(logGroupNamePrefix=name)
        for group in (group for page in pages for group in page["logGroups"]):
            if group["logGroupName"] == name:
                remove = partial(delete, logs.delete_log_group, logGroupName=name)
                made = day(datetime.fromtimestamp(group["creationTime"] / 1000, UTC))
                yield Resource("log group", name, "", made, remove)


FINDERS: tuple[Callable[[Scope], Iterator[Resource]], ...] = (
    _apis,
    _functions,
    _alarms,
    _dashboards,
    _scalable_targets,
    _endpoints,
    _configs,
    _models,
    _log_groups,
)
