"""The local AWS as one object: `with LocalAws(folder) as aws:` and plain boto3 works.

moto keeps its state in module globals, so one process runs one at a time.
"""

import contextlib
import json
import logging
import os
import threading
import time
from pathlib import Path
from types import TracebackType
from typing import Any

import boto3
import moto.backends
from botocore.config import Config
from moto.core.base_backend import BackendDict
from moto.core.model_instances import reset_model_data
from moto.moto_server.werkzeug_app import MotoRequestHandler
from werkzeug.serving import ThreadedWSGIServer

from local_aws import (
    api_rules,
    autoscaling_rules,
    cloudformation_rules,
    lambda_rules,
    registry_rules,
    sagemaker_lists,
    sagemaker_rules,
    tagging_rules,
    training_rules,
    watch_rules,
)
from local_aws.children import Children
from local_aws.front_door import FrontDoor
from local_aws.function_logs import FunctionLogs
from local_aws.http_api_plane import HttpApiPlane
from local_aws.http_server import HOST, StoppableServer, listen
from local_aws.lambda_plane import LambdaPlane
from local_aws.lock import StateLock
from local_aws.moto_patches import Patches
from local_aws.sagemaker_plane import SageMakerPlane
from local_aws.state import StateStore, stores
from local_aws.training_plane import TrainingPlane

REGION = "us-east-1"
BUCKET = "t5-sentiment-models"
ROLES = {
    "SAGEMAKER_ROLE_ARN": ("t5-sentiment-sagemaker", "sagemaker.amazonaws.com"),
    "TRAINING_ROLE_ARN": ("t5-sentiment-jobs", "sagemaker.amazonaws.com"),
    "LAMBDA_ROLE_ARN": ("t5-sentiment-lambda", "lambda.amazonaws.com"),
}
# Of its images nothing is read: what serves here is the source that they are built from.
IMAGE_REPOSITORY = f"123456789012.dkr.ecr.{REGION}.amazonaws.com/t5-sentiment"
SENDER = "pipeline@example.com"
DEFAULT_API_PORT = 8000
log = logging.getLogger("local_aws")
_one_at_a_time = threading.Lock()


class _Handler(MotoRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def log_request(self, *_: Any) -> None:
        """Nothing: what fails is logged where it fails."""


class _ControlServer(StoppableServer, ThreadedWSGIServer):
    daemon_threads = False

    def log(self, type: str, message: str, *args: Any) -> None:  # noqa: A002 - werkzeug's name
        """Errors only; werkzeug's own would print every request."""
        if type == "error":
            log.error(message, *args)


class LocalAws:
    """A running local AWS over the folder `state`.

    Args:
        state: all that it keeps; made if need be.
        port: of the control plane on the loopback; 0 for any free one.
        api_port: of the first HTTP API; 0 for any free one, None for where it was, or 8000.
        background: told to those who ask who serves the folder.
    """

    def __init__(
        self,
        state: Path,
        *,
        port: int = 0,
        api_port: int | None = None,
        background: bool = False,
    ) -> None:
        self.state = state.resolve()
        self.endpoint_url = ""
        self.outbox = self.state / "outbox"
        self._port, self._api_port, self._background = port, api_port, background
        self._roles: dict[str, str] = {}
        self._session = boto3.Session()

    def __enter__(self) -> "LocalAws":
        with contextlib.ExitStack() as stack:
            self._start(stack)
            self._stack = stack.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None
    ) -> None:
        self._stack.close()

    def _start(self, stack: contextlib.ExitStack) -> None:
        if not _one_at_a_time.acquire(blocking=False):
            raise RuntimeError("This process runs a LocalAws already; moto allows for one.")
        stack.callback(_one_at_a_time.release)
        lock = StateLock(self.state)
        lock.acquire()
        stack.callback(lock.release)
        listener = stack.enter_context(listen(self._port, "--port"))
        self.endpoint_url = f"http://{HOST}:{listener.getsockname()[1]}"

        gate = threading.RLock()
        stack.callback(_reset_moto)
        _reset_moto()
        store = StateStore(self.state, gate)
        store.restore()
        store.start()
        stack.callback(store.close)
        self._build(stack, store, gate)
        server = _ControlServer(HOST, 0, self._door, _Handler, fd=listener.fileno())
        server.start()
        stack.callback(server.stop)
        # Callbacks run last first: what requests wait for must end before the servers do.
        stack.callback(self._sagemaker.close)
        stack.callback(self._functions.close)
        stack.callback(self._training.close)
        self._sagemaker.resume(_backends("sagemaker"))
        self._training.resume(_backends("sagemaker"))
        self._provide_basics()
        lock.publish(self.facts())

    def _build(self, stack: contextlib.ExitStack, store: StateStore, gate: threading.RLock) -> None:
        children = Children(self.state / "children.json")
        children.end_leftovers()
        backends = _backends("apigatewayv2")
        logs = FunctionLogs(gate)
        self._functions = LambdaPlane(self.state / "lambda", children, self._base_variables, logs)
        self._functions.start()
        self._sagemaker = SageMakerPlane(self.state / "containers", gate, store.changed, children)
        self._training = TrainingPlane(self.state / "training", gate, store.changed, children, logs)
        self._door = FrontDoor(gate, store.changed, self._sagemaker, self._functions)
        self._apis = HttpApiPlane(self._functions, gate, self._door.touch, logs)
        stack.callback(self._apis.close)
        self._apis.start(self._choose_api_port(store.extras, backends), backends)

        patches = Patches()
        stack.callback(patches.undo)
        # moto looks its modules up on the disk, twice a request: a third of the server's time.
        modules = tuple(moto.backends.list_of_moto_modules())
        patches.set(moto.backends, "list_of_moto_modules", lambda: modules)
        sagemaker_rules.apply(patches, self._sagemaker)
        sagemaker_lists.apply(patches)
        training_rules.apply(patches, self._training)
        registry_rules.apply(patches)
        autoscaling_rules.apply(patches)
        tagging_rules.apply(patches)
        cloudformation_rules.apply(patches)
        watch_rules.apply(patches)
        lambda_rules.apply(patches, self._functions)
        api_rules.apply_api_rules(patches, self._apis)
        api_rules.apply_mail_rules(patches, api_rules.Outbox(self.outbox))

    def _choose_api_port(self, extras: dict[str, Any], backends: list[Any]) -> int:
        """The first API's port; the APIs that there are move only when asked to."""
        before = extras.get("api_port")
        chosen = self._api_port if self._api_port is not None else before
        chosen = DEFAULT_API_PORT if chosen is None else chosen
        if before not in (None, chosen) and chosen:
            apis = [api for backend in backends for api in backend.apis.values()]
            for offset, api in enumerate(apis):
                api.port = chosen + offset
        extras["api_port"] = chosen
        return int(chosen)

    def client(self, service: str) -> Any:
        """A boto3 client of this local AWS, without retries."""
        return self._session.client(
            service,
            region_name=REGION,
            endpoint_url=self.endpoint_url,
            aws_access_key_id="test",
            aws_secret_access_key="test",  # noqa: S106 - any will do
            config=Config(retries={"total_max_attempts": 1}),
        )

    def _provide_basics(self) -> None:
        """Create what the real account's bootstrap stack provides; nothing if it is there."""
        s3, iam, ses = self.client("s3"), self.client("iam"), self.client("ses")
        if BUCKET not in [bucket["Name"] for bucket in s3.list_buckets()["Buckets"]]:
            s3.create_bucket(Bucket=BUCKET)
            s3.put_bucket_versioning(Bucket=BUCKET, VersioningConfiguration={"Status": "Enabled"})
        known = {role["RoleName"]: role["Arn"] for role in iam.list_roles()["Roles"]}
        for variable, (name, service) in ROLES.items():
            if name not in known:
                created = iam.create_role(
                    RoleName=name, AssumeRolePolicyDocument=json.dumps(_trust(service))
                )
                known[name] = created["Role"]["Arn"]
            self._roles[variable] = known[name]
        ses.verify_email_identity(EmailAddress=SENDER)

    def _base_variables(self) -> dict[str, str]:
        return {
            "AWS_ENDPOINT_URL": self.endpoint_url,
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": "test",
            "AWS_REGION": REGION,
            "AWS_DEFAULT_REGION": REGION,
            "AWS_EC2_METADATA_DISABLED": "true",
            # Nothing of a real account may be found, not even by mistake.
            "AWS_CONFIG_FILE": os.devnull,
            "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
            "NO_PROXY": HOST,
        }

    def environment(self) -> dict[str, str]:
        """The variables with which a command works on this local AWS."""
        fixed = {"MODEL_BUCKET": BUCKET, "IMAGE_REPOSITORY": IMAGE_REPOSITORY}
        return self._base_variables() | fixed | self._roles

    def facts(self) -> dict[str, Any]:
        """What others may know of this server."""
        return {
            "pid": os.getpid(),
            "endpoint_url": self.endpoint_url,
            "background": self._background,
            "environment": self.environment(),
        }

    def apis(self) -> dict[str, str]:
        """The URL of each HTTP API, by its name."""
        return {
            api.name: api.api_endpoint
            for backend in _backends("apigatewayv2")
            for api in backend.apis.values()
        }

    def interrupt_training(self, arn: str) -> None:
        """Take the instance of a training job away, as AWS may do with a spot instance."""
        self._training.interrupt(arn)

    @property
    def idle_seconds(self) -> float:
        """How long nobody has asked for anything."""
        return time.monotonic() - self._door.last_request


def _backends(service: str) -> list[Any]:
    return [backend for _, _, backend in stores()[service].iter_backends()]


def _trust(service: str) -> dict[str, Any]:
    statement = {
        "Effect": "Allow",
        "Principal": {"Service": service},
        "Action": "sts:AssumeRole",
    }
    return {"Version": "2012-10-17", "Statement": [statement]}


def _reset_moto() -> None:
    BackendDict.reset()
    reset_model_data()
