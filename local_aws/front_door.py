"""The one address of the local AWS: data-plane calls are answered here, all others by moto."""

import json
import re
import threading
import time
import uuid
from collections.abc import Callable, Iterable
from typing import Any
from urllib.parse import unquote

from moto.awslambda.exceptions import LambdaClientError
from moto.awslambda_simple.models import lambda_simple_backends
from moto.core import DEFAULT_ACCOUNT_ID
from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
from moto.sagemaker.models import sagemaker_backends
from werkzeug.wrappers import Request, Response

from local_aws.container import ThrottledError
from local_aws.lambda_plane import Invocation, LambdaPlane
from local_aws.lambda_rules import refuse_while_busy
from local_aws.sagemaker_plane import EndpointNotFoundError, SageMakerPlane
from pipeline_steps.serving_process import ServingError

HEALTH = "/_local_aws/health"
ENDPOINT = re.compile(r"/endpoints/([^/]+)/invocations")
FUNCTION = re.compile(r"/2015-03-31/functions/([^/]+)/invocations/?")
CREDENTIAL = re.compile(r"Credential=[^/]+/\d+/([\w-]+)/([\w-]+)/")
READING = ("Describe", "Filter", "List", "Get", "Search")
MAX_PAYLOAD_BYTES = 6_291_456  # of a Lambda invocation
OWNER_HEADER = "x-amz-expected-bucket-owner"


class FrontDoor:
    """A WSGI application."""

    def __init__(
        self,
        gate: threading.RLock,
        changed: Callable[[], None],
        sagemaker: SageMakerPlane,
        functions: LambdaPlane,
    ) -> None:
        self._gate, self._changed = gate, changed
        self._sagemaker, self._functions = sagemaker, functions
        self._moto = DomainDispatcherApplication(create_backend_app)
        self.last_request = time.monotonic()

    def touch(self) -> None:
        """Note that somebody asks for something."""
        self.last_request = time.monotonic()

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        """Answer one request."""
        self.touch()
        request = Request(environ)
        region, service = _signed_for(request)
        endpoint, function = ENDPOINT.fullmatch(request.path), FUNCTION.fullmatch(request.path)
        if request.path == HEALTH:
            answer = Response("{}", content_type="application/json")
        elif endpoint and service == "sagemaker":
            answer = self._invoke_endpoint(request, region, endpoint[1])
        elif function and service == "lambda":
            answer = self._invoke_function(request, region, unquote(function[1]))
        elif request.headers.get(OWNER_HEADER, DEFAULT_ACCOUNT_ID) != DEFAULT_ACCOUNT_ID:
            answer = _not_the_owner(request)
        else:
            return self._control(request, environ, start_response)
        self.touch()
        return answer(environ, start_response)

    def _control(
        self, request: Request, environ: dict[str, Any], start_response: Any
    ) -> Iterable[bytes]:
        # One at a time: moto's backends know no locks, and a snapshot must see them at rest.
        with self._gate:
            chunks: Iterable[bytes] = self._moto(environ, start_response)
        action = request.headers.get("X-Amz-Target", "").rpartition(".")[2]
        if request.method not in ("GET", "HEAD") and not action.startswith(READING):
            self._changed()
        return chunks

    def _invoke_endpoint(self, request: Request, region: str, name: str) -> Response:
        backend = sagemaker_backends[DEFAULT_ACCOUNT_ID][region]
        try:
            answer, variant = self._sagemaker.invoke(
                backend,
                name,
                request.get_data(),
                request.headers.get("Content-Type", ""),
                request.headers.get("Accept", "*/*"),
            )
        except EndpointNotFoundError:
            text = f"Endpoint {name} of account {backend.account_id} not found."
            return _error(400, "ValidationError", text)
        except ThrottledError:
            return _error(429, "ThrottlingException", "Rate exceeded")
        except ServingError as error:
            return _model_error(backend.account_id, region, name, 500, str(error))
        if not answer.ok:
            return _model_error(backend.account_id, region, name, answer.status_code, answer.text)
        headers = {"x-Amzn-Invoked-Production-Variant": variant}
        content_type = answer.headers.get("Content-Type")
        return Response(answer.content, headers=headers, content_type=content_type)

    def _invoke_function(self, request: Request, region: str, name: str) -> Response:
        backend = lambda_simple_backends[DEFAULT_ACCOUNT_ID][region]
        qualifier = request.args.get("Qualifier")
        payload = request.get_data() or b"{}"
        kind = request.headers.get("X-Amz-Invocation-Type", "RequestResponse")
        if len(payload) > MAX_PAYLOAD_BYTES:
            text = f"Request must be smaller than {MAX_PAYLOAD_BYTES} bytes"
            return _error(413, "RequestTooLargeException", text)
        try:
            json.loads(payload)
            with self._gate:
                function = self._functions.resolve(backend, name, qualifier)
                if getattr(function, "busy_status", {}).get("State"):
                    refuse_while_busy(function)
        except ValueError as error:
            text = f"Could not parse request body into json: {error}"
            return _error(400, "InvalidRequestContentException", text)
        except LambdaClientError as error:
            return _error(error.code, error.error_type, error.message)
        if kind == "DryRun":
            return Response(status=204)
        arn = ":".join(function.function_arn.split(":")[:7]) + (
            f":{qualifier}" if qualifier else ""
        )
        if kind == "Event":
            self._functions.invoke_later(function, arn, payload)
            return Response(status=202)
        return _invoked(self._functions.invoke(function, arn, payload))


def _signed_for(request: Request) -> tuple[str, str]:
    signed = CREDENTIAL.search(request.headers.get("Authorization", ""))
    return (signed[1], signed[2]) if signed else ("us-east-1", "")


def _invoked(invocation: Invocation) -> Response:
    headers = {"X-Amz-Executed-Version": invocation.version}
    if invocation.function_error:
        headers["X-Amz-Function-Error"] = invocation.function_error
    return Response(invocation.payload, headers=headers, content_type="application/json")


def _not_the_owner(request: Request) -> Response:
    # https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucket-owner-condition.html
    request.get_data()  # S3's clients send the whole body before they read the answer
    body = "<Error><Code>AccessDenied</Code><Message>Access Denied</Message></Error>"
    return Response(body, status=403, content_type="application/xml")


def _error(status: int, code: str, text: str, **more: Any) -> Response:
    headers = {"x-amzn-ErrorType": code, "x-amzn-RequestId": str(uuid.uuid4())}
    body = json.dumps({"Message": text, **more})
    return Response(body, status=status, headers=headers, content_type="application/json")


def _model_error(account: str, region: str, name: str, status: int, body: str) -> Response:
    side = "client" if status < 500 else "server"
    group = f"/aws/sagemaker/Endpoints/{name}"
    return _error(
        424,
        "ModelError",
        f'Received {side} error ({status}) from primary with message "{body}". See '
        f"https://{region}.console.aws.amazon.com/cloudwatch/home?region={region}"
        f"#logEventViewer:group={group} in account {account} for more information.",
        OriginalStatusCode=status,
        OriginalMessage=body,
        LogStreamArn=f"arn:aws:logs:{region}:{account}:log-group:{group}",
    )
