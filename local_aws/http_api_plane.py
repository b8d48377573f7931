"""API Gateway's data plane for HTTP APIs: each API answers on a loopback port of its own.

Routes of the $default stage lead to Lambda functions. Statuses are those of HTTP APIs: 404 for no
route, 500 where the function fails or may not be called, 503 where it takes too long.
"""

import json
import logging
import re
import socket
import threading
import time
import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from http.server import BaseHTTPRequestHandler
from typing import Any

from moto.apigatewayv2.models import ApiGatewayV2Backend, Integration, Route
from moto.awslambda.exceptions import UnknownFunctionException
from moto.awslambda.models import LambdaFunction
from moto.awslambda_simple.models import lambda_simple_backends
from moto.logs.models import logs_backends

from local_aws import http_api_authorizers, http_api_guard
from local_aws.function_logs import FunctionLogs
from local_aws.http_api_event import Request, Response, build_event, message, read_result
from local_aws.http_api_routes import is_allowed, match_route
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
        self,
        lambda_plane: LambdaPlane,
        gate: threading.RLock,
        touched: Callable[[], None],
        logs: FunctionLogs,
    ) -> None:
        self.lambda_plane, self.gate, self.touched = lambda_plane, gate, touched
        self._logs, self._throttle = logs, http_api_guard.Throttle()
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
        """Answer as the API's settings say, and note it in its access log."""
        began = time.monotonic()
        api = backend.apis[api_id]
        cors: Any = api.cors_configuration
        response = http_api_guard.preflight(cors, request) if cors else None
        noted: dict[str, Any] = {
            "requestId": uuid.uuid4().hex[:16],
            "requestTime": time.strftime("%d/%b/%Y:%H:%M:%S +0000", time.gmtime()),
            "identity.sourceIp": request.source_ip,
        }
        if response is None:
            response = self._routed(backend, api, request, noted)
            response = http_api_guard.with_cors(cors, request, response) if cors else response
        named = [*response.headers, ("Apigw-Requestid", noted["requestId"])]
        response = replace(response, headers=named)
        noted |= {
            "status": response.status,
            "responseLength": len(response.body),
            "responseLatency": round((time.monotonic() - began) * 1000),
        }
        self._note(backend, api, noted)
        return response

    def _note(self, backend: ApiGatewayV2Backend, api: Any, noted: dict[str, Any]) -> None:
        stage = api.stages.get("$default")
        if stage is None or not stage.access_log_settings:
            return
        group = stage.access_log_settings["destinationArn"].partition(":log-group:")[2]
        line = http_api_guard.log_line(stage.access_log_settings["format"], noted)
        logs, name = (
            logs_backends[backend.account_id][backend.region_name],
            group.removesuffix(":*"),
        )
        if name in logs.groups:  # API Gateway makes none itself
            self._logs.append(logs, name, api.api_id, line)

    def _routed(
        self, backend: ApiGatewayV2Backend, api: Any, request: Request, noted: dict[str, Any]
    ) -> Response:
        """Find the route, see whether it may be used, call its function."""
        path = request.target.partition("?")[0]
        with self.gate:
            stage = api.stages.get("$default")
            found = match_route(list(api.routes.values()), request.method, path)
            if stage is None or not stage.auto_deploy or found is None:
                return message(404, "Not Found")
            route, parameters = found
            integration = api.integrations.get(str(route.target).removeprefix("integrations/"))
            called = self._function(backend, api.api_id, route, integration)
            authorizer = api.authorizers.get(route.authorizer_id)
        noted["routeKey"] = route.route_key
        if not self._throttle.admits(api.api_id, route.route_key, stage.default_route_settings):
            return message(429, "Too Many Requests")
        host = api.api_endpoint.partition("://")[2]
        refused = http_api_authorizers.refusal(route, authorizer, request, host)
        if refused:
            return refused
        if integration is None or called is None:
            return message(500, "Internal Server Error")
        event = build_event(
            request,
            request_id=noted["requestId"],
            account=backend.account_id,
            api_id=api.api_id,
            route_key=route.route_key,
            path_parameters=parameters,
            stage_variables=stage.stage_variables,
        )
        return self._called(api.api_id, called, event, int(integration.timeout_in_millis or 30_000))

    def _called(
        self, api_id: str, called: tuple[LambdaFunction, str], event: Any, milliseconds: int
    ) -> Response:
        """Call a function and convert its result."""
        call = self.workers.submit(self.lambda_plane.invoke, *called, json.dumps(event).encode())
        try:
            invocation = call.result(milliseconds / 1000)
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

    def __getattr__(self, name: str) -> Any:
        """Take every method, as API Gateway does: what is allowed is for the routes to say."""
        if name.startswith("do_"):
            return self._handle
        raise AttributeError(name)

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
