"""API Gateway v2 and SES: what moto lets pass or lacks, and the hooks of the local AWS.

https://docs.aws.amazon.com/apigatewayv2/latest/api-reference/apis-apiid-integrations.html
"""

import base64
import email.message
import email.policy
import json
import threading
from pathlib import Path
from typing import Any

from moto.apigatewayv2.exceptions import APIGatewayV2Error, BadRequestException
from moto.apigatewayv2.models import ApiGatewayV2Backend, Route
from moto.apigatewayv2.responses import ApiGatewayV2Response
from moto.ses.responses import EmailResponse
from moto.sesv2.responses import SESV2Response

from local_aws.http_api_plane import HttpApiPlane
from local_aws.moto_patches import Patches

TIMEOUT_MILLISECONDS = range(50, 30_001)  # AWS's limits for HTTP APIs
STAGE_SETTINGS = {
    "autoDeploy": "auto_deploy",
    "defaultRouteSettings": "default_route_settings",
    "routeSettings": "route_settings",
    "stageVariables": "stage_variables",
    "accessLogSettings": "access_log_settings",
    "description": "description",
}


class ConflictError(APIGatewayV2Error):
    """What is asked for is there already."""

    code = 409

    def __init__(self, message: str) -> None:
        super().__init__("ConflictException", message)


def _check_integration(
    self: ApiGatewayV2Backend,
    integration_type: str | None,
    payload_format_version: str | None,
    timeout_in_millis: str | None,
    integration_id: str | None = None,
    **_: Any,
) -> None:
    if timeout_in_millis and int(timeout_in_millis) not in TIMEOUT_MILLISECONDS:
        raise BadRequestException("Timeout should be between 50 ms and 30000 ms")
    if integration_id is None and (integration_type, payload_format_version) != (
        "AWS_PROXY",
        "2.0",
    ):
        raise BadRequestException(
            f"Integration type {integration_type}, payload format version "
            f"{payload_format_version}: the local AWS serves AWS_PROXY with version 2.0 only"
        )


def _check_route(self: ApiGatewayV2Backend, api_id: str, route_key: str, **_: Any) -> None:
    if any(route.route_key == route_key for route in self.get_routes(api_id)):
        raise ConflictError(f"Route with key {route_key} already exists for this API")


def _check_stage(self: ApiGatewayV2Backend, api_id: str, config: dict[str, Any]) -> None:
    if config["stageName"] in self.get_api(api_id).stages:
        raise ConflictError("Stage already exists")


def _update_stage(self: ApiGatewayV2Response) -> tuple[int, dict[str, Any], str]:
    path = self.path.split("/")
    stage = self.apigatewayv2_backend.get_stage(path[-3], path[-1].replace("%24", "$"))
    for name, value in json.loads(self.body).items():
        if name not in STAGE_SETTINGS:
            raise BadRequestException(f"The local AWS cannot change {name} of a stage")
        setattr(stage, STAGE_SETTINGS[name], value)
    return 200, {}, json.dumps(stage.to_json())


def _get_authorizers(self: ApiGatewayV2Response) -> tuple[int, dict[str, Any], str]:
    api = self.apigatewayv2_backend.get_api(self.path.split("/")[-2])
    items = [_known(authorizer.to_json()) for authorizer in api.authorizers.values()]
    return 200, {}, json.dumps({"items": items})


def _known(answer: dict[str, Any]) -> dict[str, Any]:
    """Without what was never set, which AWS leaves out."""
    return {name: value for name, value in answer.items() if value is not None}


def _check_authorizer(
    self: ApiGatewayV2Backend, authorizer_type: str, jwt_config: dict[str, Any] | None, **_: Any
) -> None:
    config = jwt_config or {}
    if authorizer_type != "JWT" or not config.get("issuer") or not config.get("audience"):
        raise BadRequestException(
            "The local AWS knows authorizers of type JWT, with an issuer and an audience"
        )


def _check_authorized(
    self: ApiGatewayV2Backend, api_id: str, authorization_type: str, authorizer_id: str, **_: Any
) -> None:
    if authorization_type == "JWT" and authorizer_id not in self.get_api(api_id).authorizers:
        raise BadRequestException(f"Authorizer {authorizer_id} does not exist")


def _keep_authorizer(self: ApiGatewayV2Backend, api_id: str, authorizer_id: str) -> None:
    if any(route.authorizer_id == authorizer_id for route in self.get_routes(api_id)):
        raise ConflictError(f"Authorizer {authorizer_id} is in use by a route")


def _forget_authorizer(route: Route, self: ApiGatewayV2Backend, **_: Any) -> None:
    if route.authorization_type != "JWT":
        route.authorizer_id = None


def apply_api_rules(patches: Patches, plane: HttpApiPlane) -> None:
    """Install the rules of API Gateway; `plane` opens and shuts the ports of the APIs."""
    backend = ApiGatewayV2Backend
    patches.after(backend, "create_api", lambda api, self, **_: plane.open(api, self))
    patches.before(backend, "delete_api", lambda self, api_id: self.get_api(api_id))
    patches.after(backend, "delete_api", lambda _, self, api_id: plane.shut(api_id))
    patches.before(backend, "create_integration", _check_integration)
    patches.before(backend, "update_integration", _check_integration)
    patches.before(backend, "create_route", _check_route)
    patches.before(backend, "create_route", _check_authorized)
    patches.before(backend, "update_route", _check_authorized)
    patches.after(backend, "update_route", _forget_authorizer)
    patches.before(backend, "create_authorizer", _check_authorizer)
    patches.before(backend, "delete_authorizer", _keep_authorizer)
    patches.set(ApiGatewayV2Response, "get_authorizers", _get_authorizers)
    patches.before(backend, "create_stage", _check_stage)
    patches.set(ApiGatewayV2Response, "update_stage", _update_stage)


class Outbox:
    """The folder that sent mail is written to: 0001.eml, 0002.eml, ..."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._lock = threading.Lock()
        folder.mkdir(parents=True, exist_ok=True)

    def write(self, mail: bytes) -> None:
        """Keep one mail as it would have been sent."""
        with self._lock:
            number = len(list(self.folder.glob("*.eml"))) + 1
            temporary = self.folder / f"{number:04d}.part"
            temporary.write_bytes(mail)
            temporary.replace(temporary.with_suffix(".eml"))


def _compose(source: str, destination: dict[str, list[str]], parts: dict[str, str]) -> bytes:
    mail = email.message.EmailMessage(policy=email.policy.SMTP)
    mail["From"], mail["Subject"] = source, parts["Subject"]
    for name in ("To", "Cc", "Bcc"):
        if destination.get(f"{name}Addresses"):
            mail[name] = ", ".join(destination[f"{name}Addresses"])
    if "Text" in parts:
        mail.set_content(parts["Text"])
    if "Html" in parts:
        add = mail.add_alternative if "Text" in parts else mail.set_content
        add(parts["Html"], subtype="html")
    return mail.as_bytes()


def apply_mail_rules(patches: Patches, outbox: Outbox) -> None:
    """Have every mail that SES accepts written to `outbox`."""

    def sent(_: Any, self: EmailResponse) -> None:
        named = {kind: self._get_param(f"Message.Body.{kind}.Data") for kind in ("Text", "Html")}
        parts = {kind: text for kind, text in named.items() if text is not None}
        parts["Subject"] = self._get_param("Message.Subject.Data")
        outbox.write(_compose(self._get_param("Source"), self._get_param("Destination", {}), parts))

    def sent_raw(_: Any, self: EmailResponse) -> None:
        outbox.write(self._get_param("RawMessage.Data"))

    def sent_v2(_: Any, self: SESV2Response) -> None:
        request = json.loads(self.body)
        content = request["Content"]
        if "Raw" in content:
            outbox.write(base64.b64decode(content["Raw"]["Data"]))
            return
        parts = {kind: text["Data"] for kind, text in content["Simple"]["Body"].items()}
        parts["Subject"] = content["Simple"]["Subject"]["Data"]
        outbox.write(_compose(request["FromEmailAddress"], request["Destination"], parts))

    patches.after(EmailResponse, "send_email", sent)
    patches.after(EmailResponse, "send_raw_email", sent_raw)
    patches.after(SESV2Response, "send_email", sent_v2)
