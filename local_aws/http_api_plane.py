"""API Gateway's data plane for HTTP APIs: each API answers on a loopback port of its own.

Routes of the $default stage lead to Lambda functions. Statuses are those of HTTP APIs: 404 for no
route, 500 where the function fails or may not be called, 503 where it takes too long.
"""

import json
import logging
import re
import socket
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from fnmatch import fnmatchcase
from http.server import BaseHTTPRequestHandler
from typing import Any

from moto.apigatewayv2.models import ApiGatewayV2Backend, Integration, Route
from moto.awslambda.exceptions import UnknownFunctionException
from moto.awslambda.models import LambdaFunction
from moto.awslambda_simple.models import lambda_simple_backends

from local_aws.http_api_event import Request, Response, build_event, message, read_result
from local_aws.http_server import HOST, StoppableServer, listen
from local_aws.lambda_plane import LambdaPlane
from local_aws.lambda_rules import policy_statements
from pipeline_steps.errors import ConfigurationError

MAX_BODY_BYTES = 10 * 1024 * 1024  # AWS's limit for a request
API_PORT_FLAG = "--api-port"
WORKERS = 64  # requests that wait for functions at once
FUNCTION_ARN = re.compile(r"arn:aws:lambda:[\w-]+:\d{12}:function:([\w-]+)(?::([\w$-]+))?")
log = logging.getLogger("local_aws")


class HttpApiPlane:
    """The servers of all HTTP APIs, by the API's id."""

    def __init__(
        self, lambda_plane: LambdaPlane, gate: threading.RLock, touched: Callable[[], None]
    ) -> None:
        self.lambda_plane, self.gate, self.touched = lambda_plane, gate, touched
        self._servers: dict[str, _ApiServer] = {}
        self._first: socket.socket | None = None  # held for the first API
        self._first_port = 0
        self.workers = ThreadPoolExecutor(WORKERS, thread_name_prefix="http-api")

    def start(self, first_port: int, backends: list[ApiGatewayV2Backend]) -> None:
        """Listen for the APIs that there are, on the ports they had, or hold the first port.

        Raises:
            ConfigurationError: a port is taken.
        """
        self._first_port = first_port
        apis: list[tuple[ApiGatewayV2Backend, Any]] = [
            (backend, api) for backend in backends for api in backend.apis.values()
        ]
        for backend, api in apis:
            self._serve(backend, api, listen(api.port, API_PORT_FLAG))
        if not apis:
            self._first = listen(first_port, API_PORT_FLAG)

    def open(self, api: Any, backend: ApiGatewayV2Backend) -> None:
        """Give a new API its port and its URL."""
        listener = self._first or self._next_free()
        self._first = None
        self._serve(backend, api, listener)

    def _next_free(self) -> socket.socket:
        if not self._first_port:
            return listen(0, API_PORT_FLAG)
        for port in range(self._first_port, self._first_port + 1000):
            try:
                return listen(port, API_PORT_FLAG)
            except ConfigurationError:
                continue
        raise ConfigurationError(
            f"No free port among the 1000 from {self._first_port} on. "
            f"Choose another with {API_PORT_FLAG}."
        )

    def _serve(self, backend: ApiGatewayV2Backend, api: Any, listener: socket.socket) -> None:
        server = _ApiServer((HOST, 0), _Handler, bind_and_activate=False)
        server.socket.close()
        server.socket = listener
        server.plane, server.backend, server.api_id = self, backend, api.api_id
        api.port = server.bound_port
        api.api_endpoint = f"http://{HOST}:{api.port}"
        self._servers[api.api_id] = server
        server.start()

    def shut(self, api_id: str) -> None:
        """Stop answering for a deleted API."""
        server = self._servers.pop(api_id, None)
        if server:
            server.stop()

    def close(self) -> None:
        """Stop all servers; the functions must have been stopped before."""
        for server in self._servers.values():
            server.stop()
        if self._first:
            self._first.close()
        self.workers.shutdown()

    def answer(self, backend: ApiGatewayV2Backend, api_id: str, request: Request) -> Response:
        """Find the route, call its function, and convert the result."""
        path = request.target.partition("?")[0]
        with self.gate:
            api = backend.apis[api_id]
            stage = api.stages.get("$default")
            found = match_route(list(api.routes.values()), request.method, path)
            if stage is None or not stage.auto_deploy or found is None:
                return message(404, "Not Found")
            route, parameters = found
            integration = api.integrations.get(str(route.target).removeprefix("integrations/"))
            called = self._function(backend, api_id, route, integration)
        if integration is None or called is None:
            return message(500, "Internal Server Error")
        event = build_event(
            request,
            account=backend.account_id,
            api_id=api_id,
            route_key=route.route_key,
            path_parameters=parameters,
            stage_variables=stage.stage_variables,
        )
        call = self.workers.submit(self.lambda_plane.invoke, *called, json.dumps(event).encode())
        try:
            invocation = call.result(int(integration.timeout_in_millis or 30_000) / 1000)
        except TimeoutError:
            return message(503, "Service Unavailable")
        if invocation.function_error:
            log.error("api %s: the function failed: %s", api_id, invocation.payload.decode())
            return message(500, "Internal Server Error")
        return read_result(invocation.payload)

    def _function(
        self,
        backend: ApiGatewayV2Backend,
        api_id: str,
        route: Route,
        integration: Integration | None,
    ) -> tuple[LambdaFunction, str] | None:
        """The function that a route leads to, with its ARN, if the API may call it."""
        target = FUNCTION_ARN.search(integration.integration_uri) if integration else None
        if target is None:
            log.error("api %s: route %r leads to no function", api_id, route.route_key)
            return None
        functions = lambda_simple_backends[backend.account_id][backend.region_name]
        try:
            function = self.lambda_plane.resolve(functions, target[1], target[2])
        except UnknownFunctionException as error:
            log.error("api %s: %s", api_id, error.message)
            return None
        # The route's own path, with its {names}: that is what AWS hands to the policy.
        called = route.route_key.replace("ANY ", "* ").replace(" ", "")
        source = (
            f"arn:aws:execute-api:{backend.region_name}:{backend.account_id}:"
            f"{api_id}/$default/{called}"
        )
        if not is_allowed(policy_statements(function, target[2]), source, backend.account_id):
            log.error("api %s: the policy of %s does not allow %s", api_id, target[0], source)
            return None
        return function, target[0]


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


class _ApiServer(StoppableServer):
    plane: HttpApiPlane
    backend: ApiGatewayV2Backend
    api_id: str


class _Handler(BaseHTTPRequestHandler):
    server: _ApiServer
    protocol_version = "HTTP/1.1"
    wbufsize = -1
    disable_nagle_algorithm = True

    def _handle(self) -> None:
        self.server.plane.touched()
        length = self.headers.get("Content-Length", "0")
        if not length.isdecimal() or "Transfer-Encoding" in self.headers:
            self.close_connection = True
            self._send(message(411, "Length Required"))
        elif int(length) > MAX_BODY_BYTES:
            # What is not read of the body would be taken for the next request.
            self.close_connection = True
            self._send(message(413, "Request Entity Too Large"))
        else:
            body = self.rfile.read(int(length))
            headers = list(self.headers.items())
            request = Request(self.command, self.path, headers, body, self.client_address[0])
            self._send(self.server.plane.answer(self.server.backend, self.server.api_id, request))
        self.server.plane.touched()

    do_GET = do_HEAD = do_POST = do_PUT = _handle  # noqa: N815 - the base class's names
    do_PATCH = do_DELETE = do_OPTIONS = _handle  # noqa: N815

    def _send(self, response: Response) -> None:
        self.send_response(response.status)
        for name, value in response.headers:
            if name.lower() != "content-length":
                self.send_header(name, value)
        self.send_header("Content-Length", str(len(response.body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(response.body)
        self.wfile.flush()

    def log_message(self, *_: Any) -> None:
        """Nothing: what fails is logged where it fails."""
