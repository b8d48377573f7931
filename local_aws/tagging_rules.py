"""Tags: what moto's Resource Groups Tagging API and SageMaker's own tag calls leave out.

https://docs.aws.amazon.com/resourcegroupstagging/latest/APIReference/API_GetResources.html
"""

from collections.abc import Iterator
from typing import Any

from moto.apigatewayv2.models import apigatewayv2_backends
from moto.core.resource_tagging import TaggedResource, make_tag_matcher, match_resource_type
from moto.resourcegroupstaggingapi.models import ResourceGroupsTaggingAPIBackend
from moto.sagemaker.exceptions import ValidationError
from moto.sagemaker.models import FakeEndpointConfig, SageMakerModelBackend

from local_aws.moto_patches import Patches


def _http_apis(account: str, region: str) -> Iterator[TaggedResource]:
    backend = apigatewayv2_backends[account][region]
    for api in backend.apis.values():
        yield TaggedResource(api.arn, backend.get_tags(api.arn), "apigateway:apis")


def _with_arn(config: FakeEndpointConfig, self: SageMakerModelBackend, **_: Any) -> None:
    config.arn = config.endpoint_config_arn  # type: ignore[assignment] # moto wraps it in a tuple


def _find_tagged(self: SageMakerModelBackend, arn: str) -> Any:
    """What a tag call names; moto fails without words where there is no such thing."""
    kind, _, name = arn.split(":", 5)[-1].partition("/")
    places: dict[str, dict[str, Any]] = {
        "model": self._models,
        "endpoint": self.endpoints,
        "endpoint-config": self.endpoint_configs,
        "model-package-group": self.model_package_groups,
        "training-job": self.training_jobs,
    }
    if kind not in places:
        raise ValidationError(message=f"The local AWS keeps no tags of a {kind} ({arn}).")
    if name not in places[kind]:
        raise ValidationError(message=f"Could not find {kind} {arn}.")
    return places[kind][name]


def _add_tags(self: SageMakerModelBackend, arn: str, tags: list[dict[str, str]]) -> list[Any]:
    """A key that is there gets the new value; moto would list it twice."""
    resource = _find_tagged(self, arn)
    merged = {tag["Key"]: tag["Value"] for tag in [*(resource.tags or []), *tags]}
    resource.tags = [{"Key": key, "Value": value} for key, value in merged.items()]
    return list(resource.tags)


def apply(patches: Patches) -> None:
    """Install the rules."""
    tagging = ResourceGroupsTaggingAPIBackend
    moto_generator = tagging._get_resources_generator

    def generator(
        self: ResourceGroupsTaggingAPIBackend,
        tag_filters: list[dict[str, Any]] | None = None,
        resource_type_filters: list[str] | None = None,
        resource_arn_list: list[str] | None = None,
    ) -> Iterator[TaggedResource]:
        yield from moto_generator(self, tag_filters, resource_type_filters, resource_arn_list)
        matches = make_tag_matcher(tag_filters)
        for api in _http_apis(self.account_id, self.region_name):
            listed = not resource_arn_list or api.arn in resource_arn_list
            right_type = match_resource_type(api.resource_type, resource_type_filters)
            if api.tags and listed and right_type and matches(api.tags):
                yield api

    patches.set(tagging, "_get_resources_generator", generator)
    patches.after(SageMakerModelBackend, "create_endpoint_config", _with_arn)
    patches.set(SageMakerModelBackend, "_get_resource_from_arn", _find_tagged)
    patches.set(SageMakerModelBackend, "add_tags", _add_tags)
