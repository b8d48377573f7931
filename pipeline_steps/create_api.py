"""Put a public HTTP API before the endpoint: Lambda version, alias, API Gateway.

    python -m pipeline_steps.create_api --profile sst2

Reads `release.json`, writes `api.json`. Each change of the function becomes a version, and the
alias `live` moves to it in one call.
https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-develop-integrations-lambda.html
"""

import base64
import hashlib
import io
import sys
import zipfile
from pathlib import Path
from typing import Any

from pipeline_steps import github, http_api, http_api_front, log_groups, releases, step
from pipeline_steps.aws import Clients, aws_errors, create, find, wait, when_role_is_usable
from pipeline_steps.errors import ApiError
from pipeline_steps.http_api import FUNCTION_MB
from pipeline_steps.release_artefacts import Api, Release
from pipeline_steps.releases import ALIAS
from pipeline_steps.settings import Settings
from pipeline_steps.step import Outcome

SOURCES = Path(__file__).parents[1] / "lambda"
TRIES = 4  # of changing the function: code, configuration, and what another run may have begun
SHIPPED = (".py", ".html", ".json")
RUNTIME = "python3.13"
FUNCTION_SECONDS = 29  # API Gateway waits for 30
FUNCTION_WAIT_SECONDS = 120  # for the function to be created, updated or published
ZIP_EPOCH = (1980, 1, 1, 0, 0, 0)  # the oldest time a zip can hold: the same bytes each time


def run(settings: Settings, clients: Clients) -> Outcome:
    """Bring the function and the API to the code and the release here.

    Raises:
        ConfigurationError: the function's role is not set.
        ApiError: AWS refused a call. The endpoint is back at the last good release then: the one
            it serves has not been tested.
    """
    release = Release.load(settings.environment_dir)
    name = settings.resource_name
    try:
        with aws_errors(ApiError, f"Creating the API {name!r}"):
            log_groups.keep(settings, clients.logs)
            version, changed = _deploy_function(settings, clients.lambda_, release)
            arn = _point_alias(clients.lambda_, name, version)
            api = _find_or_create_api(settings, clients.apigateway)
            http_api_front.bring_to(settings, clients.apigateway, api, arn)
            _permit(clients.lambda_, name, api["ApiId"], arn)
    except ApiError as error:
        raise ApiError(f"{error} {releases.undo(settings, clients)}") from error
    made = Api(
        api_id=api["ApiId"],
        api_url=api["ApiEndpoint"],
        function_name=name,
        function_version=version,
        endpoint_name=release.endpoint_name,
    )
    unchanged = not changed and Api.find(settings.environment_dir) == made
    made.save(settings.environment_dir)
    github.set_output("api_url", made.api_url)
    detail = f"{made.api_url} (function version {version})"
    return Outcome("reused" if unchanged else "done", detail)


def zip_function(folder: Path = SOURCES) -> bytes:
    """The function's deployment package; the same sources give the same bytes."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as package:
        for path in sorted(path for path in folder.iterdir() if path.suffix in SHIPPED):
            member = zipfile.ZipInfo(path.name, ZIP_EPOCH)
            member.external_attr = 0o644 << 16  # Lambda must be allowed to read it
            member.compress_type = zipfile.ZIP_DEFLATED
            package.writestr(member, path.read_bytes())
    return buffer.getvalue()


def _deploy_function(settings: Settings, lambda_: Any, release: Release) -> tuple[str, bool]:
    """Create or update the function; gives the version to serve, and whether it is new."""
    name = settings.resource_name
    code = zip_function()
    known = find(lambda_.get_function_configuration, FunctionName=name)
    configuration = {
        "Runtime": RUNTIME,
        # Each environment's function may ask its own endpoint only.
        "Role": settings.require("deploy", "lambda_role_arn").replace(
            "{environment}", settings.deploy.environment
        ),
        "Handler": "handler.handler",
        "Timeout": FUNCTION_SECONDS,
        "MemorySize": FUNCTION_MB,
        "Environment": {"Variables": _variables(settings, release, known)},
    }
    if known is None:
        function = {"Code": {"ZipFile": code}, "Tags": settings.tags, **configuration}
        when_role_is_usable(
            lambda: create(lambda_.create_function, FunctionName=name, **function),
            settings.deploy.role_timeout,
            settings.deploy.poll_seconds,
        )
    changed = _bring_function_to(settings, lambda_, code, configuration)
    alias = find(lambda_.get_alias, FunctionName=name, Name=ALIAS)
    if alias and not changed and _is_current(lambda_, name, alias["FunctionVersion"]):
        return alias["FunctionVersion"], False
    return _publish(settings, lambda_), True


def _variables(
    settings: Settings, release: Release, known: dict[str, Any] | None
) -> dict[str, str]:
    before = (known or {}).get("Environment", {}).get("Variables", {})
    return {
        "ENDPOINT_NAME": release.endpoint_name,
        "MODEL_VERSION": release.model_version,
        "REPORT_URL": _report_url(settings, release.model_version, before),
        "LOG_TEXTS": str(settings.api.log_texts).lower(),
    }


def _report_url(settings: Settings, version: str, before: dict[str, str]) -> str:
    """Where the page leads for the model's report; `before` are the variables as they are."""
    if settings.api.report_url:
        return settings.api.report_url.replace("{model_version}", version)
    # Each run has a page of its own: another one makes no new release of the same model.
    stays = before.get("REPORT_URL") if before.get("MODEL_VERSION") == version else None
    return stays or settings.api.report_page


def _bring_function_to(
    settings: Settings, lambda_: Any, code: bytes, configuration: dict[str, Any]
) -> bool:
    """Have $LATEST be this code and configuration; gives whether that took a change."""
    name, changed = settings.resource_name, False
    digest = base64.b64encode(hashlib.sha256(code).digest()).decode()
    for _ in range(TRIES):
        # Whatever is in progress, of this run or another, has its end first.
        _wait(settings, lambda_, "function_active_v2", name)
        _wait(settings, lambda_, "function_updated_v2", name)
        current = lambda_.get_function_configuration(FunctionName=name)
        try:
            if current["CodeSha256"] != digest:
                lambda_.update_function_code(FunctionName=name, ZipFile=code)
            elif any(current.get(key) != value for key, value in configuration.items()):
                lambda_.update_function_configuration(FunctionName=name, **configuration)
            else:
                return changed
        except lambda_.exceptions.ResourceConflictException:
            pass  # an update is in progress: perhaps this one, when the answer to it was lost
        changed = True
    raise ApiError(
        f"The function {name!r} was changed by another run each time this one tried. Let the "
        "other run end, then run this again."
    )


def _wait(settings: Settings, lambda_: Any, state: str, name: str, **more: str) -> None:
    poll = settings.deploy.poll_seconds
    wait(lambda_, state, FUNCTION_WAIT_SECONDS, poll, FunctionName=name, **more)


def _publish(settings: Settings, lambda_: Any) -> str:
    name = settings.resource_name
    version: str = lambda_.publish_version(FunctionName=name)["Version"]
    # The alias must not move to a version that cannot answer yet.
    _wait(settings, lambda_, "published_version_active", name, Qualifier=version)
    return version


def _is_current(lambda_: Any, name: str, version: str) -> bool:
    # A run killed between update and publish leaves an alias on the version of before.
    live = lambda_.get_function_configuration(FunctionName=name, Qualifier=version)
    newest = lambda_.get_function_configuration(FunctionName=name)
    keys = ("CodeSha256", "Environment", "Timeout", "MemorySize", "Runtime", "Role")
    return all(live.get(key) == newest.get(key) for key in keys)


def _point_alias(lambda_: Any, name: str, version: str) -> str:
    alias = find(lambda_.get_alias, FunctionName=name, Name=ALIAS)
    if alias is None:
        create(lambda_.create_alias, FunctionName=name, Name=ALIAS, FunctionVersion=version)
        alias = lambda_.get_alias(FunctionName=name, Name=ALIAS)
    if alias["FunctionVersion"] != version:
        alias = lambda_.update_alias(FunctionName=name, Name=ALIAS, FunctionVersion=version)
    arn: str = alias["AliasArn"]
    return arn


def _find_or_create_api(settings: Settings, apigateway: Any) -> dict[str, Any]:
    found = http_api.find_api(settings, apigateway)
    if found is None:
        name, tags = settings.resource_name, settings.tags
        made = dict(apigateway.create_api(Name=name, ProtocolType="HTTP", Tags=tags))
        # Asked again, as a lost answer may have made two of them.
        found = http_api.find_api(settings, apigateway) or made
    return found


def _permit(lambda_: Any, name: str, api_id: str, alias_arn: str) -> None:
    """Let this API, and no other, call the function's alias."""
    region, account = alias_arn.split(":")[3:5]
    create(
        lambda_.add_permission,
        FunctionName=name,
        Qualifier=ALIAS,
        StatementId=f"api-{api_id}",
        Action="lambda:InvokeFunction",
        Principal="apigateway.amazonaws.com",
        SourceArn=f"arn:aws:execute-api:{region}:{account}:{api_id}/*/*",
    )


if __name__ == "__main__":
    sys.exit(step.main(run, __doc__))
