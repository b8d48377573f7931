"""IAM's decision about a request, as far as our policies use its language.

https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic.html
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

VARIABLE = re.compile(r"\$\{([^}]+)\}")


class UnsupportedError(Exception):
    """A policy uses what this evaluator does not know."""


@dataclass(frozen=True)
class Request:
    """One action on one resource, with the condition keys that AWS would know."""

    action: str
    resource: str
    context: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Role:
    """A role with the statements of its policies and of the bucket's, its trust and its tags."""

    arn: str
    tags: dict[str, str]
    statements: list[dict[str, Any]]
    trust: list[dict[str, Any]]

    def allows(self, request: Request) -> bool:
        """Whether a statement allows it, and none denies it."""
        context = {
            **{f"aws:PrincipalTag/{key}": value for key, value in self.tags.items()},
            **request.context,
        }
        effects = {
            statement["Effect"]
            for statement in self.statements
            if _applies(statement, request, context)
        }
        return effects == {"Allow"}

    def trusts(self, claims: Mapping[str, str], provider: str) -> bool:
        """Whether a token of the OIDC provider with these claims may take the role."""
        prefix = "token.actions.githubusercontent.com:"
        context = {prefix + name: value for name, value in claims.items()}
        return any(
            statement["Principal"].get("Federated") == provider
            and statement["Action"] == "sts:AssumeRoleWithWebIdentity"
            and _conditions_hold(statement["Condition"], context)
            for statement in self.trust
        )


def load_role(iam: Any, name: str, bucket_policy: list[dict[str, Any]]) -> Role:
    """The role as IAM has it, after CloudFormation has filled in the template."""
    role = iam.get_role(RoleName=name)["Role"]
    statements = [*bucket_policy]
    for attached in iam.list_attached_role_policies(RoleName=name)["AttachedPolicies"]:
        arn = attached["PolicyArn"]
        version = iam.get_policy(PolicyArn=arn)["Policy"]["DefaultVersionId"]
        found = iam.get_policy_version(PolicyArn=arn, VersionId=version)
        statements += found["PolicyVersion"]["Document"]["Statement"]
    tags = {tag["Key"]: tag["Value"] for tag in iam.list_role_tags(RoleName=name)["Tags"]}
    return Role(role["Arn"], tags, statements, role["AssumeRolePolicyDocument"]["Statement"])


def bucket_policy(template: dict[str, Any], names: dict[str, str]) -> list[dict[str, Any]]:
    """The bucket policy's statements, which the local AWS does not make, with `names` filled in."""
    document = template["Resources"]["ModelBucketPolicy"]["Properties"]["PolicyDocument"]
    found: list[dict[str, Any]] = _with_names(document["Statement"], names)
    # Its statements stand among each role's own, which is right of denials only.
    if any((item["Effect"], item["Principal"]) != ("Deny", "*") for item in found):
        raise UnsupportedError("a bucket policy that allows something, or denies it to some only")
    return found


def _with_names(node: Any, names: dict[str, str]) -> Any:
    match node:
        case {"Fn::GetAtt": [resource, attribute]}:
            return names[f"{resource}.{attribute}"]
        case {"Fn::Sub": str(text)}:
            return VARIABLE.sub(lambda found: names[found[1]], text)
        case dict():
            return {key: _with_names(value, names) for key, value in node.items()}
        case list():
            return [_with_names(item, names) for item in node]
    return node


def _applies(statement: dict[str, Any], request: Request, context: Mapping[str, str]) -> bool:
    known = {"Sid", "Effect", "Principal", "Action", "Resource", "NotResource", "Condition"}
    if statement.keys() - known:
        raise UnsupportedError(f"{statement.keys() - known} of {statement.get('Sid')}")
    actions = [action.lower() for action in as_list(statement["Action"])]
    return (
        any(_like(action, request.action.lower()) for action in actions)
        and _is_about(statement, request.resource, context)
        and _conditions_hold(statement.get("Condition", {}), context)
    )


def _is_about(statement: dict[str, Any], resource: str, context: Mapping[str, str]) -> bool:
    if "NotResource" in statement:
        bucket = f"{resource.partition('/')[0]}/"
        excepted = as_list(statement["NotResource"])
        # A bucket's policy is asked about that bucket only.
        return all(item.startswith(bucket) for item in excepted) and not any(
            _covers(item, resource, context) for item in excepted
        )
    return any(_covers(item, resource, context) for item in as_list(statement["Resource"]))


def as_list(value: Any) -> list[Any]:
    """A policy's value, which may stand for a list of one."""
    return value if isinstance(value, list) else [value]


def _covers(pattern: str, resource: str, context: Mapping[str, str]) -> bool:
    filled = _filled(pattern, context)
    if filled is None:
        return False  # AWS: a statement whose variable has no value matches nothing
    if filled == "*" or resource == "*":
        return filled == "*"
    # A wildcard does not reach over the colons before the resource's own part.
    parts = zip(filled.split(":", 5), resource.split(":", 5), strict=True)
    return all(_like(known, asked) for known, asked in parts)


def _filled(pattern: str, context: Mapping[str, str]) -> str | None:
    if any(name not in context for name in VARIABLE.findall(pattern)):
        return None
    return VARIABLE.sub(lambda found: context[found[1]], pattern)


def _like(pattern: str, value: str) -> bool:
    expression = re.escape(pattern).replace(r"\*", ".*").replace(r"\?", ".")
    return re.fullmatch(expression, value, re.DOTALL) is not None


def _conditions_hold(conditions: dict[str, Any], context: Mapping[str, str]) -> bool:
    return all(
        _condition_holds(operator, context.get(key), expected, context)
        for operator, pairs in conditions.items()
        for key, expected in pairs.items()
    )


def _condition_holds(
    operator: str, value: str | None, expected: Any, context: Mapping[str, str]
) -> bool:
    wanted = [_filled(str(item), context) for item in as_list(expected)]
    if operator == "Null":
        return (value is None) == (wanted == ["true"])
    if operator == "StringEquals":
        return value is not None and value in wanted
    if operator == "StringNotEquals":
        return value is None or value not in wanted  # a missing key is not equal either
    if operator == "Bool":
        return value is not None and value in wanted
    raise UnsupportedError(f"the condition operator {operator}")
