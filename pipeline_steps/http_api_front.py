"""What stands before the function: routes, who may use them, how much, and what is noted of it.

https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api.html
"""

import json
from typing import Any

from pipeline_steps import log_groups
from pipeline_steps.aws import create, delete, find
from pipeline_steps.settings import Settings

PAGES = ("GET /", "GET /docs", "GET /openapi.json")
ASKING = ("POST /predict", "GET /health")  # what reaches the model, and is guarded if anything is
ROUTES = (*PAGES, *ASKING, "$default")  # the last is all the rest: 404 and 405 as problem JSON
STAGE = "$default"
AUTHORIZER = "jwt"
# Neither bodies nor paths, which are the client's words: the route says enough.
# https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-logging-variables.html
NOTED = (
    *("requestId", "requestTime", "routeKey", "status", "responseLength", "responseLatency"),
    *("identity.sourceIp", "integration.requestId", "integrationErrorMessage", "error.message"),
)
ACCESS_LOG = json.dumps({name: f"$context.{name}" for name in NOTED})


def bring_to(settings: Settings, apigateway: Any, api: dict[str, Any], function_arn: str) -> None:
    """Have the API lead to the function, as the settings say; what is so already stays."""
    api_id = api["ApiId"]
    target = _integration(apigateway, api_id, function_arn)
    guard = _guard(settings, apigateway, api_id)
    routes = {item["RouteKey"]: item for item in apigateway.get_routes(ApiId=api_id)["Items"]}
    for key in ROUTES:
        wanted = {"Target": target, **(guard if key in ASKING else {"AuthorizationType": "NONE"})}
        if key not in routes:
            create(apigateway.create_route, ApiId=api_id, RouteKey=key, **wanted)
        elif any(routes[key].get(name) != value for name, value in wanted.items()):
            apigateway.update_route(ApiId=api_id, RouteId=routes[key]["RouteId"], **wanted)
    _drop_authorizers(apigateway, api_id, guard.get("AuthorizerId"))
    _allow_origins(settings, apigateway, api)
    _stage(settings, apigateway, api_id, function_arn)


def _integration(apigateway: Any, api_id: str, function_arn: str) -> str:
    integrations = apigateway.get_integrations(ApiId=api_id)["Items"]
    matching = [item for item in integrations if item["IntegrationUri"] == function_arn]
    integration = (
        matching[0]
        if matching
        else apigateway.create_integration(
            ApiId=api_id,
            IntegrationType="AWS_PROXY",
            IntegrationUri=function_arn,
            PayloadFormatVersion="2.0",
            TimeoutInMillis=30_000,
        )
    )
    return f"integrations/{integration['IntegrationId']}"


def _guard(settings: Settings, apigateway: Any, api_id: str) -> dict[str, str]:
    """Who may ask the model, as a route wants to be told."""
    if settings.api.authorizer == "none":
        return {"AuthorizationType": "NONE"}
    if settings.api.authorizer == "iam":
        return {"AuthorizationType": "AWS_IAM"}
    wanted = {
        "AuthorizerType": "JWT",
        "IdentitySource": ["$request.header.Authorization"],
        "JwtConfiguration": {
            "Issuer": settings.api.jwt_issuer,
            "Audience": settings.api.audiences,
        },
    }
    known = apigateway.get_authorizers(ApiId=api_id)["Items"]
    found = next((item for item in known if item["Name"] == AUTHORIZER), None)
    if found is None:
        found = apigateway.create_authorizer(ApiId=api_id, Name=AUTHORIZER, **wanted)
    elif any(found.get(name) != value for name, value in wanted.items()):
        apigateway.update_authorizer(
            ApiId=api_id, AuthorizerId=found["AuthorizerId"], Name=AUTHORIZER, **wanted
        )
    return {"AuthorizationType": "JWT", "AuthorizerId": found["AuthorizerId"]}


def _drop_authorizers(apigateway: Any, api_id: str, used: str | None) -> None:
    """Delete those of other settings, and doubles of a creation whose answer was lost."""
    for item in apigateway.get_authorizers(ApiId=api_id)["Items"]:
        if item["AuthorizerId"] != used:
            delete(apigateway.delete_authorizer, ApiId=api_id, AuthorizerId=item["AuthorizerId"])


def _allow_origins(settings: Settings, apigateway: Any, api: dict[str, Any]) -> None:
    wanted = {
        "AllowOrigins": sorted(settings.api.origins),
        "AllowMethods": ["GET", "POST"],
        "AllowHeaders": ["authorization", "content-type"],
        "ExposeHeaders": ["retry-after", "x-model-version", "x-request-id"],
        "MaxAge": 3600,
    }
    current = api.get("CorsConfiguration")
    if not settings.api.origins:
        if current:
            delete(apigateway.delete_cors_configuration, ApiId=api["ApiId"])
    elif not current or any(_plain(current.get(name)) != wanted[name] for name in wanted):
        apigateway.update_api(ApiId=api["ApiId"], CorsConfiguration=wanted)


def _plain(value: Any) -> Any:
    return sorted(value) if isinstance(value, list) else value


def _stage(settings: Settings, apigateway: Any, api_id: str, function_arn: str) -> None:
    partition, _, region, account = function_arn.split(":")[1:5]
    group = log_groups.of_api(settings.resource_name)
    wanted = {
        "AutoDeploy": True,
        "DefaultRouteSettings": {
            "ThrottlingRateLimit": settings.api.throttle_rate,
            "ThrottlingBurstLimit": settings.api.throttle_burst,
        },
        "AccessLogSettings": {
            "DestinationArn": f"arn:{partition}:logs:{region}:{account}:log-group:{group}",
            "Format": ACCESS_LOG,
        },
    }
    stage = find(apigateway.get_stage, ApiId=api_id, StageName=STAGE)
    if stage is None:
        create(apigateway.create_stage, ApiId=api_id, StageName=STAGE, **wanted)
    elif not all(_holds(stage.get(name), value) for name, value in wanted.items()):
        apigateway.update_stage(ApiId=api_id, StageName=STAGE, **wanted)


def _holds(found: Any, wanted: Any) -> bool:
    """Whether what AWS tells has all that is wanted, and perhaps more."""
    if isinstance(wanted, dict) and isinstance(found, dict):
        return wanted.items() <= found.items()
    return bool(found == wanted)
