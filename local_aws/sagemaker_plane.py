"""SageMaker's data plane: one serving process an endpoint, run from the uploaded tarball.

An update starts the new process beside the old one and switches when the new one answers its
ping; the old one ends with its last request. An update that fails leaves the endpoint InService
with its old configuration and a FailureReason, as a rolled-back blue/green deployment does:
https://docs.aws.amazon.com/sagemaker/latest/dg/deployment-guardrails.html
"""

import logging
import shutil
import threading
import uuid
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import requests
from moto.core.utils import utcnow
from moto.s3.exceptions import MissingBucket
from moto.s3.models import FakeKey, s3_backends
from moto.sagemaker.models import SageMakerModelBackend

from local_aws.children import Children
from local_aws.container import Container
from pipeline_steps.errors import PackagingError
from pipeline_steps.serving_process import ServingError
from pipeline_steps.tarball import extract_tarball

DELETION_SECONDS = 0.1  # that a deleted endpoint is still seen; AWS takes a minute or so
NOT_SERVING = ("Creating", "Failed", "Deleting")
REASON_CHARACTERS = 1024  # AWS cuts a FailureReason there
Endpoint = Any  # moto's FakeEndpoint; `pending_config_name` is ours, for a restart to go on
log = logging.getLogger("local_aws")


class EndpointNotFoundError(LookupError):
    """There is no such endpoint, or none that is in service."""


def find_object(account: str, bucket: str, key: str) -> FakeKey | None:
    """The current version of an S3 object, if there is one."""
    try:
        return s3_backends[account]["aws"].get_object(bucket, key)
    except MissingBucket:
        return None


def find_model_data(account: str, url: str) -> FakeKey | None:
    """The object that an s3:// URL names, if there is one."""
    bucket, _, key = url.removeprefix("s3://").partition("/")
    return find_object(account, bucket, key)


class SageMakerPlane:
    """The containers of all endpoints, by the endpoint's ARN."""

    def __init__(
        self,
        folder: Path,
        gate: threading.RLock,
        changed: Callable[[], None],
        children: Children,
    ) -> None:
        self._folder, self._gate, self._changed, self._children = folder, gate, changed, children
        self._serving: dict[str, Container] = {}
        self._switches: dict[str, threading.Lock] = defaultdict(threading.Lock)
        self._all: set[Container] = set()
        self._threads: list[threading.Thread] = []
        self._closing = threading.Event()

    def resume(self, backends: Iterable[SageMakerModelBackend]) -> None:
        """Go on with the roll-outs and deletions that a stop of the server interrupted."""
        shutil.rmtree(self._folder, ignore_errors=True)
        for backend in backends:
            for endpoint in list(backend.endpoints.values()):
                pending = getattr(endpoint, "pending_config_name", None)
                if endpoint.endpoint_status == "Deleting":
                    self.delete(backend, endpoint)
                elif pending:
                    self.roll_out(backend, endpoint, pending)

    def roll_out(
        self, backend: SageMakerModelBackend, endpoint: Endpoint, config_name: str
    ) -> None:
        """Bring `config_name` into service in the background; the endpoint's status tells."""
        endpoint.pending_config_name = config_name
        self._in_background(lambda: self._roll_out(backend, endpoint, config_name))

    def _roll_out(
        self, backend: SageMakerModelBackend, endpoint: Endpoint, config_name: str
    ) -> None:
        try:
            fresh = self._start(backend, config_name)
        except Exception as error:  # noqa: BLE001 - whatever it was, the endpoint must say so
            if not self._closing.is_set():
                self._fail(endpoint, error)
            return
        with self._switches[endpoint.arn]:
            retired = self._serving.get(endpoint.arn)
            self._serving[endpoint.arn] = fresh
            self._switch(backend, endpoint, config_name)
        if retired:
            self._stop(retired)

    def _fail(self, endpoint: Endpoint, error: Exception) -> None:
        log.error("endpoint %s: %s", endpoint.endpoint_name, error)
        with self._gate:
            updating = endpoint.endpoint_status == "Updating"
            endpoint.endpoint_status = "InService" if updating else "Failed"
            endpoint.failure_reason = str(error)[:REASON_CHARACTERS]
            endpoint.pending_config_name = None
        self._changed()

    def _switch(self, backend: SageMakerModelBackend, endpoint: Endpoint, config_name: str) -> None:
        with self._gate:
            variants = backend.endpoint_configs[config_name].production_variants
            endpoint.production_variants = endpoint._process_production_variants(variants)
            endpoint.endpoint_config_name = config_name
            endpoint.endpoint_status = "InService"
            endpoint.failure_reason = None
            endpoint.pending_config_name = None
            endpoint.last_modified_time = utcnow()
        self._changed()

    def _start(self, backend: SageMakerModelBackend, config_name: str) -> Container:
        folder = self._folder / uuid.uuid4().hex[:12]
        folder.mkdir(parents=True)
        variant, environment = self._unpack(backend, config_name, folder)
        variant_name = str(variant["VariantName"])
        most = (variant.get("ServerlessConfig") or {}).get("MaxConcurrency")
        container = Container(folder, environment, variant_name, most, self._children)
        self._all.add(container)
        try:
            if self._closing.is_set():
                raise ServingError("The server is stopping.")
            container.start()
        except (ServingError, OSError) as error:  # a closing server takes the folder away
            container.stop()
            self._all.discard(container)
            raise ServingError(
                f"The primary container for production variant {variant_name} did not pass the "
                f"ping health check. {error}"
            ) from error
        return container

    def _unpack(
        self, backend: SageMakerModelBackend, config_name: str, folder: Path
    ) -> tuple[dict[str, Any], dict[str, str]]:
        """Fill `folder` from the tarball; gives the variant and the model's variables."""
        with self._gate:
            config = backend.endpoint_configs[config_name]
            variant = config.production_variants[0]
            model = backend.describe_model(variant["ModelName"])
            primary = model.primary_container
            url = primary["ModelDataUrl"]
            key = find_model_data(backend.account_id, url)
            if key is None:
                raise ServingError(f"Failed to download model data: nothing is at {url}.")
            tarball = folder.with_suffix(".tar.gz")
            tarball.write_bytes(key.value)
        try:
            extract_tarball(tarball, folder)
        except PackagingError as error:
            raise ServingError(f"Failed to extract model data from {url}. {error}") from error
        finally:
            tarball.unlink()
        return variant, dict(primary.get("Environment") or {})

    def invoke(
        self,
        backend: SageMakerModelBackend,
        endpoint_name: str,
        body: bytes,
        content_type: str,
        accept: str,
    ) -> tuple[requests.Response, str]:
        """Forward a request; returns the container's answer and the variant's name.

        Raises:
            EndpointNotFoundError: no such endpoint, or it is not in service.
            ThrottledError: it has as many requests as it takes.
            ServingError: the container cannot be started, or does not answer.
        """
        endpoint = backend.endpoints.get(endpoint_name)
        if endpoint is None or endpoint.endpoint_status in NOT_SERVING:
            raise EndpointNotFoundError(endpoint_name)
        with self._borrow(backend, endpoint) as container:
            return container.invoke(body, content_type, accept), container.variant_name

    @contextmanager
    def _borrow(self, backend: SageMakerModelBackend, endpoint: Endpoint) -> Iterator[Container]:
        with ExitStack() as stack:
            with self._switches[endpoint.arn]:
                container = self._serving.get(endpoint.arn)
                if container is None or not container.is_alive:
                    # Scaled to zero, or crashed: a cold start, for which the others wait.
                    container = self._start(backend, endpoint.endpoint_config_name)
                    self._serving[endpoint.arn] = container
                stack.enter_context(container.in_use())
            yield container

    def delete(self, backend: SageMakerModelBackend, endpoint: Endpoint) -> None:
        """Take an endpoint out of service at once, and out of sight a moment later."""
        endpoint.endpoint_status = "Deleting"
        self._in_background(lambda: self._delete(backend, endpoint))

    def _delete(self, backend: SageMakerModelBackend, endpoint: Endpoint) -> None:
        container = self._serving.pop(endpoint.arn, None)
        if self._closing.wait(DELETION_SECONDS):
            return  # the next start goes on
        with self._gate:
            del backend.endpoints[endpoint.endpoint_name]
        self._changed()
        if container:
            self._stop(container)

    def _stop(self, container: Container) -> None:
        container.stop_when_unused()
        self._all.discard(container)

    def _in_background(self, act: Callable[[], None]) -> None:
        thread = threading.Thread(target=act, name="sagemaker")
        self._threads = [old for old in self._threads if old.is_alive()] + [thread]
        thread.start()

    def close(self) -> None:
        """Stop all containers, those that are still starting too."""
        self._closing.set()
        for container in list(self._all):
            container.stop()
        for thread in self._threads:
            thread.join()
