"""HTTP requests as events of payload format 2.0, and results of functions as HTTP responses.

https://docs.aws.amazon.com/apigateway/latest/developerguide/
http-api-develop-integrations-lambda.html
"""

import base64
import json
import re
import time
import uuid
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl

# Bodies of other types reach the function in base64; a form of curl's `-d` does too.
TEXT_TYPES = ("text/", "application/json", "application/javascript", "application/xml")
TRACE_HEADER = "x-amzn-trace-id"


@dataclass(frozen=True)
class Request:
    """What came in; `target` is the raw path with its query string."""

    method: str
    target: str
    headers: list[tuple[str, str]]
    body: bytes = b""
    source_ip: str = "127.0.0.1"


@dataclass(frozen=True)
class Response:
    """What goes out."""

    status: int
    body: bytes
    headers: list[tuple[str, str]] = field(default_factory=list)


def message(status: int, text: str) -> Response:
    """An answer of the gateway itself."""
    body = json.dumps({"message": text}, separators=(",", ":")).encode()
    return Response(status, body, [("Content-Type", "application/json")])


def build_event(
    request: Request,
    *,
    request_id: str,
    account: str,
    api_id: str,
    route_key: str,
    path_parameters: Mapping[str, str],
    stage_variables: Mapping[str, str],
) -> dict[str, Any]:
    """The event that the function gets; what a request lacks is left out, as AWS does."""
    path, _, query = request.target.partition("?")
    headers, cookies = _headers(request.headers)
    headers.setdefault(TRACE_HEADER, f"Root=1-{int(time.time()):x}-{uuid.uuid4().hex[:24]}")
    domain = headers.get("host", "")
    port = domain.rpartition(":")[2]
    headers |= {
        "x-forwarded-for": request.source_ip,
        "x-forwarded-port": port,
        "x-forwarded-proto": "http",
    }
    now = time.time()
    event: dict[str, Any] = {
        "version": "2.0",
        "routeKey": route_key,
        "rawPath": path,
        "rawQueryString": query,
        "headers": headers,
        "requestContext": {
            "accountId": account,
            "apiId": api_id,
            "domainName": domain,
            "domainPrefix": api_id,
            "http": {
                "method": request.method,
                "path": path,
                "protocol": "HTTP/1.1",
                "sourceIp": request.source_ip,
                "userAgent": headers.get("user-agent", ""),
            },
            "requestId": request_id,
            "routeKey": route_key,
            "stage": "$default",
            "time": time.strftime("%d/%b/%Y:%H:%M:%S +0000", time.gmtime(now)),
            "timeEpoch": int(now * 1000),
        },
        "isBase64Encoded": False,
    }
    optional = {
        "cookies": cookies,
        "queryStringParameters": _joined(parse_qsl(query, keep_blank_values=True)),
        "pathParameters": dict(path_parameters),
        "stageVariables": dict(stage_variables),
    }
    event |= {name: value for name, value in optional.items() if value}
    if request.body:
        event["body"], event["isBase64Encoded"] = _body(
            request.body, headers.get("content-type", "")
        )
    return event


def _joined(pairs: Iterable[tuple[str, str]]) -> dict[str, str]:
    joined: dict[str, str] = {}
    for name, value in pairs:
        joined[name] = f"{joined[name]},{value}" if name in joined else value
    return joined


def _headers(pairs: list[tuple[str, str]]) -> tuple[dict[str, str], list[str]]:
    lower = [(name.lower(), value) for name, value in pairs]
    cookies = [
        cookie.strip()
        for name, value in lower
        if name == "cookie"
        for cookie in value.split(";")
        if cookie.strip()
    ]
    return _joined(pair for pair in lower if pair[0] != "cookie"), cookies


def _body(body: bytes, content_type: str) -> tuple[str, bool]:
    if not content_type or content_type.lower().startswith(TEXT_TYPES):
        try:
            return body.decode(), False
        except UnicodeDecodeError:
            pass  # declared as text, but is none: base64, as for all that is binary
    return base64.b64encode(body).decode(), True


def read_result(payload: bytes) -> Response:
    """Turn what the function returned into the response.

    Without a `statusCode` the whole result is the body, with status 200. What cannot be a
    response is answered with 500, as AWS does.
    """
    result = json.loads(payload or b"null")
    if not isinstance(result, dict) or "statusCode" not in result:
        body = result if isinstance(result, str) else json.dumps(result)
        return Response(200, body.encode(), [("Content-Type", "application/json")])
    try:
        status = int(result["statusCode"])
        content = result.get("body") or ""
        content = content if isinstance(content, str) else json.dumps(content)
        is_binary = bool(result.get("isBase64Encoded"))
        body_bytes = base64.b64decode(content) if is_binary else content.encode()
        headers = [(name, _text(value)) for name, value in (result.get("headers") or {}).items()]
        headers += [("Set-Cookie", str(cookie)) for cookie in result.get("cookies") or []]
    except (ValueError, TypeError, AttributeError):
        return message(500, "Internal Server Error")
    if not 100 <= status <= 599 or not all(_is_sendable(*header) for header in headers):
        return message(500, "Internal Server Error")
    if not any(name.lower() == "content-type" for name, _ in headers):
        headers.append(("Content-Type", "text/plain;charset=utf-8"))
    return Response(status, body_bytes, headers)


def _is_sendable(name: str, value: str) -> bool:
    return name.isascii() and not re.search(r"[^\x20-\xff\t]", name + value)


def _text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
