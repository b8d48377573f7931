"""The HTTP API of an environment in API Gateway, found by its name and tags.

API Gateway lets several APIs have one name, and a creation whose answer is lost is sent again: the
one that has routes, or else the oldest, is the one; its doubles are garbage.
"""

from collections.abc import Iterator
from typing import Any

from pipeline_steps.aws import delete
from pipeline_steps.settings import Settings

FUNCTION_MB = 256  # memory of the function behind the API


def find_api(settings: Settings, apigateway: Any) -> dict[str, Any] | None:
    """The API of this environment, as API Gateway describes it; None where there is none."""
    return next(iter(_apis(settings, apigateway)), None)


def _apis(settings: Settings, apigateway: Any) -> list[dict[str, Any]]:
    """All APIs of this name, the one that is meant first."""
    pages = apigateway.get_paginator("get_apis").paginate()
    ours = [
        api
        for page in pages
        for api in page["Items"]
        if api["Name"] == settings.resource_name
        and settings.tags.items() <= api.get("Tags", {}).items()
    ]
    if len(ours) < 2:
        return ours
    routed = {
        api["ApiId"]: bool(apigateway.get_routes(ApiId=api["ApiId"])["Items"]) for api in ours
    }
    return sorted(
        ours, key=lambda api: (not routed[api["ApiId"]], api["CreatedDate"], api["ApiId"])
    )


def collect_doubles(settings: Settings, apigateway: Any) -> Iterator[str]:
    """Delete APIs and integrations that lead nowhere; gives their names."""
    known = _apis(settings, apigateway)
    for double in known[1:]:
        delete(apigateway.delete_api, ApiId=double["ApiId"])
        yield f"API {double['ApiId']}"
    for api in known[:1]:
        routes = apigateway.get_routes(ApiId=api["ApiId"])["Items"]
        used = {route.get("Target") for route in routes}
        for item in apigateway.get_integrations(ApiId=api["ApiId"])["Items"]:
            if f"integrations/{item['IntegrationId']}" not in used:
                delete(
                    apigateway.delete_integration,
                    ApiId=api["ApiId"],
                    IntegrationId=item["IntegrationId"],
                )
                yield f"integration {item['IntegrationId']}"
