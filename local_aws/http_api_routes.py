"""Which route of an HTTP API a request takes, and whether its function lets the API call it.

https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-develop-routes.html
"""

import re
from fnmatch import fnmatchcase
from typing import Any

from moto.apigatewayv2.models import Route


def match_route(routes: list[Route], method: str, path: str) -> tuple[Route, dict[str, str]] | None:
    """The most specific route for a request, with its path parameters.

    A full match comes first, then `{name}`, then `{name+}`; a method before ANY; $default last.
    """
    candidates: list[tuple[tuple[int, bool], Route, dict[str, str]]] = []
    for route in routes:
        route_method, _, pattern = route.route_key.partition(" ")
        if route_method == "$default":
            candidates.append(((3, False), route, {}))
        if route_method not in (method, "ANY"):
            continue
        expression = re.escape(pattern).replace(r"\{", "{").replace(r"\}", "}")
        expression = re.sub(r"{(\w+)\\\+}", r"(?P<\1>.+)", expression)
        expression = re.sub(r"{(\w+)}", r"(?P<\1>[^/]+)", expression)
        matched = re.fullmatch(expression, path)
        if matched:
            rank = (2 if "+}" in pattern else 1 if "{" in pattern else 0, route_method == "ANY")
            candidates.append((rank, route, matched.groupdict()))
    best = min(candidates, key=lambda candidate: candidate[0], default=None)
    return best[1:] if best else None


def is_allowed(statements: list[dict[str, Any]], source_arn: str, account: str) -> bool:
    """Whether a resource policy lets API Gateway call the function from `source_arn`."""
    for statement in statements:
        conditions = statement.get("Condition", {})
        pattern = conditions.get("ArnLike", {}).get("AWS:SourceArn", "*").replace("[", "[[]")
        owner = conditions.get("StringEquals", {}).get("AWS:SourceAccount", account)
        if (
            statement["Effect"] == "Allow"
            and statement["Principal"] == {"Service": "apigateway.amazonaws.com"}
            and statement["Action"] in ("lambda:InvokeFunction", "lambda:*")
            and fnmatchcase(source_arn, pattern)
            and owner == account
        ):
            return True
    return False
