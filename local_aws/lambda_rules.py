"""Lambda as strict as AWS where moto is not, and versions that keep what they were.

https://docs.aws.amazon.com/lambda/latest/dg/functions-states.html: a function that was just
created or changed is busy for a moment; what comes before it has settled is refused.
"""

import base64
import io
import json
import time
import zipfile
from typing import Any
from urllib.parse import unquote

from moto.awslambda.exceptions import (
    GenericResourcNotFound,
    InvalidParameterValueException,
    LambdaClientError,
    UnknownPolicyException,
)
from moto.awslambda.models import LambdaBackend, LambdaFunction, LambdaStorage
from moto.awslambda.responses import LambdaResponse

from local_aws.lambda_plane import LambdaPlane
from local_aws.moto_patches import Patches, role_trusts
from local_aws.sagemaker_plane import find_object

BUSY_SECONDS = 0.2
BUSY_FIELDS = ("State", "LastUpdateStatus")
RESERVED_VARIABLES = {
    *("_HANDLER", "AWS_REGION", "AWS_DEFAULT_REGION", "AWS_LAMBDA_FUNCTION_NAME"),
    *("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "LAMBDA_TASK_ROOT"),
}


class ResourceConflictError(LambdaClientError):
    """What is asked for clashes with what is there."""

    code = 409

    def __init__(self, message: str) -> None:
        super().__init__("ResourceConflictException", message)


def refuse_while_busy(function: LambdaFunction) -> None:
    """Raise as AWS does while a creation or an update has not settled."""
    if time.time() < getattr(function, "busy_until", 0):
        raise ResourceConflictError(
            "The operation cannot be performed at this time. An update is in progress for "
            f"resource: {function.function_arn}"
        )


def _check_specification(account: str, spec: dict[str, Any]) -> None:
    reserved = RESERVED_VARIABLES & set(spec.get("Environment", {}).get("Variables", {}))
    if reserved:
        raise InvalidParameterValueException(
            "Lambda was unable to configure your environment variables because the environment "
            "variables you have provided contains reserved keys that are currently not supported "
            f"for modification. Reserved keys used in this request: {', '.join(sorted(reserved))}"
        )
    archive = _archive(account, spec.get("Code", spec))
    if archive is not None and not zipfile.is_zipfile(io.BytesIO(archive)):
        raise InvalidParameterValueException(
            "Could not unzip uploaded file. Please check your file, then try to upload again."
        )


def _archive(account: str, code: dict[str, Any]) -> bytes | None:
    if "ZipFile" in code:
        return base64.b64decode(code["ZipFile"])
    if "S3Bucket" not in code:
        return None
    key = find_object(account, code["S3Bucket"], code["S3Key"])
    if key is None:
        raise InvalidParameterValueException(
            "Error occurred while GetObject. S3 Error Code: NoSuchKey. S3 Error Message: The "
            f"specified key does not exist: s3://{code['S3Bucket']}/{code['S3Key']}"
        )
    return key.value


def _check_creation(self: LambdaBackend, spec: dict[str, Any]) -> None:
    _check_specification(self.account_id, spec)
    if not role_trusts(self.account_id, spec["Role"], "lambda.amazonaws.com"):
        raise InvalidParameterValueException(
            "The role defined for the function cannot be assumed by Lambda."
        )


def _check_update(
    self: LambdaBackend, function_name: str, qualifier: str, body: dict[str, Any]
) -> None:
    refuse_while_busy(self.get_function(function_name, qualifier))
    _check_specification(self.account_id, body)


def _created(_: Any, self: LambdaBackend, spec: dict[str, Any]) -> None:
    _make_busy(self.get_function(spec["FunctionName"]), "State", "Pending")


def _updated(_: Any, self: LambdaBackend, function_name: str, **__: Any) -> None:
    _make_busy(self.get_function(function_name), "LastUpdateStatus", "InProgress")


def _make_busy(function: Any, name: str, status: str) -> None:
    function.busy_until = time.time() + BUSY_SECONDS
    function.busy_status = {name: status}


def _tell_state(configuration: dict[str, Any], self: Any, on_create: bool = False) -> None:
    if on_create:
        configuration["State"] = "Pending"
    elif time.time() < getattr(self, "busy_until", 0):
        configuration.update(self.busy_status)


def _publish_version(
    self: LambdaStorage, name_or_arn: str, description: str = ""
) -> LambdaFunction:
    """A version with its own copies, unless the last one is the same."""
    function: Any = self.get_function_by_name_or_arn_forbid_qualifier(name_or_arn)
    refuse_while_busy(function)
    entry = self._functions[function.function_name]
    if entry["versions"] and _content(entry["versions"][-1]) == _content(function):
        return entry["versions"][-1]
    version: Any = LambdaFunction.__new__(LambdaFunction)
    version.__dict__.update(vars(function))
    version.code = dict(function.code)
    version.environment_vars = dict(function.environment_vars)
    version.set_version(_next_version(self, function.function_name))
    version.description = description or function.description
    entry["versions"].append(version)
    self._arns[version.function_arn] = version
    return version


def _content(function: LambdaFunction) -> dict[str, Any]:
    """What makes a version another one: code and configuration, not its name or description."""
    kept = function.get_configuration()
    for name in ("FunctionArn", "Version", "Description", "LastModified", *BUSY_FIELDS):
        kept.pop(name, None)
    return kept


def _next_version(storage: Any, name: str) -> int:
    # A number is never given out again, even if the function is deleted and made anew:
    # https://docs.aws.amazon.com/lambda/latest/dg/configuration-versions.html
    given = storage.__dict__.setdefault("versions_given", {})
    given[name] = given.get(name, 0) + 1
    return int(given[name])


def _check_known(self: LambdaStorage, name: str) -> None:
    self.get_function_by_name_or_arn_forbid_qualifier(name)  # raises if there is none


def _resource(function: LambdaFunction, qualifier: str | None) -> str:
    arn = ":".join(function.function_arn.split(":")[:7])
    return f"{arn}:{qualifier}" if qualifier else arn


def policy_statements(function: LambdaFunction, qualifier: str | None) -> list[dict[str, Any]]:
    """The resource policy of one alias or version, or of the function itself."""
    # moto shares one list between all versions; the statement's resource tells them apart.
    resource = _resource(function, qualifier)
    return [s for s in function.policy.statements if s["Resource"].rstrip(":") == resource]


def _check_permission(self: LambdaBackend, function_name: str, qualifier: str, raw: str) -> None:
    function = self.get_function(function_name, qualifier)
    statement_id = json.loads(raw).get("StatementId")
    if any(s["Sid"] == statement_id for s in policy_statements(function, qualifier)):
        raise ResourceConflictError(
            f"The statement id ({statement_id}) provided already exists. Please provide a new "
            "statement id, or remove the existing statement."
        )


def _check_alias(
    self: LambdaStorage, name: str, function_name: str, function_version: str, **_: Any
) -> None:
    function = self.get_function_by_name_or_arn_with_qualifier(function_name, function_version)
    if name in self._get_function_aliases(function_name):
        raise ResourceConflictError(f"Alias already exists: {_resource(function, name)}")


def _check_deletion(self: LambdaBackend, function_name: str, qualifier: str | None = None) -> None:
    self.get_function(function_name, qualifier)  # raises if there is none
    if qualifier == "$LATEST":
        raise InvalidParameterValueException(
            "$LATEST version cannot be deleted without deleting the function."
        )
    users = [a.name for a in self.list_aliases(function_name) if a.function_version == qualifier]
    if qualifier and users:
        raise ResourceConflictError(
            f"Version {qualifier} cannot be deleted: the alias {users[0]} points to it."
        )


def _forget_version(
    _: None, self: LambdaBackend, function_name: str, qualifier: str | None = None
) -> None:
    if qualifier:
        latest = self.get_function(function_name)
        self._lambdas._arns.pop(_resource(latest, qualifier), None)


def _get_policy(self: LambdaBackend, function_name: str, qualifier: str | None = None) -> str:
    function = self.get_function(function_name, qualifier)
    statements = policy_statements(function, qualifier)
    if not statements:
        raise GenericResourcNotFound
    policy = {"Version": "2012-10-17", "Id": "default", "Statement": statements}
    return json.dumps({"Policy": json.dumps(policy), "RevisionId": function.policy.revision})


def _remove_permission(self: LambdaResponse) -> tuple[int, dict[str, Any], str]:
    path = self.path.split("/")
    function_name, statement_id = unquote(path[-3]), unquote(path[-1])
    qualifier = self.querystring.get("Qualifier", [None])[0]
    function = self.backend.get_function(function_name, qualifier)
    for statement in policy_statements(function, qualifier):
        if statement["Sid"] == statement_id:
            function.policy.statements.remove(statement)
            return 204, {"status": 204}, ""
    raise UnknownPolicyException


def apply(patches: Patches, plane: LambdaPlane) -> None:
    """Install the rules; functions that change have their old environments stopped by `plane`."""
    backend = LambdaBackend

    def evict(_: Any, self: LambdaBackend, **arguments: Any) -> None:
        plane.evict(self, arguments["function_name"].rpartition(":function:")[2].split(":")[0])

    patches.before(backend, "create_function", _check_creation)
    patches.after(backend, "create_function", _created)
    for update in ("update_function_code", "update_function_configuration"):
        patches.before(backend, update, _check_update)
        patches.after(backend, update, _updated)
        patches.after(backend, update, evict)
    patches.after(LambdaFunction, "get_configuration", _tell_state)
    patches.set(LambdaStorage, "publish_version", _publish_version)
    patches.before(LambdaStorage, "list_versions_by_function", _check_known)
    patches.before(LambdaStorage, "put_alias", _check_alias)
    patches.after(backend, "update_alias", evict)
    patches.before(backend, "delete_function", _check_deletion)
    patches.after(backend, "delete_function", evict)
    patches.after(backend, "delete_function", _forget_version)
    patches.before(backend, "add_permission", _check_permission)
    patches.set(backend, "get_policy", _get_policy)
    patches.set(LambdaResponse, "remove_permission", _remove_permission)
