"""A seam in botocore: each AWS call of the steps is recorded, and one of them can be broken.

The fault sits where botocore sends a request (its event `before-send`), so that botocore's own
retries, parsers and waiters act on it as they would on AWS's.
https://docs.aws.amazon.com/boto3/latest/guide/events.html
"""

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, NoReturn
from unittest import mock

from boto3.exceptions import Boto3Error
from boto3.s3.transfer import TransferConfig
from botocore.awsrequest import AWSPreparedRequest, AWSResponse
from botocore.exceptions import ReadTimeoutError
from botocore.httpsession import URLLib3Session
from botocore.model import ServiceModel
from botocore.retries.quota import RetryQuota
from botocore.retries.standard import ExponentialBackoff

from bench.faults.answers import refusal
from pipeline_steps.aws import Clients

BACKOFF_SECONDS = 0.002  # instead of up to 20 s; how often, and what for, stays botocore's choice
ONCE, ALWAYS = "throttled once", "throttled always"
SERVER_ERROR, TIMEOUT, DENIED = "5xx", "timeout after it took effect", "access denied"
KILLED_BEFORE, KILLED_AFTER = "killed before", "killed after"
FAULTS = (ONCE, ALWAYS, SERVER_ERROR, TIMEOUT, DENIED, KILLED_BEFORE, KILLED_AFTER)
LASTING = {ALWAYS: "throttled", SERVER_ERROR: "5xx", DENIED: "denied"}


class Killed(BaseException):
    """The process ends here: no `except Exception` of the code under test may catch it."""


class CutOffError(Exception):
    """How a kill travels through boto3's upload, which ends in `Killed` itself."""


@dataclass(frozen=True)
class Call:
    """The `turn`-th call of an operation within a step; equal calls in a row are one turn.

    A waiter asks the same again and again, how often is chance: hence the turns.
    """

    step: str
    service: str
    operation: str
    turn: int

    def __str__(self) -> str:
        turn = f" ({self.turn})" if self.turn > 1 else ""
        return f"{self.service} {self.operation}{turn}"


Answer = Callable[[AWSPreparedRequest, ServiceModel], AWSResponse | None]


class Injector:
    """Records the calls of a run; breaks the one that is its target, if it has one.

    Args:
        target: the call to break.
        fault: one of `FAULTS`.
        answer: instead of a fault, what to answer to the target and its repetitions; None lets
            a request through.
    """

    def __init__(
        self, target: Call | None = None, fault: str = "", answer: Answer | None = None
    ) -> None:
        self.step = ""  # which step runs now
        self.calls: list[Call] = []
        self.requests = 0
        self.hits = 0
        self.killed = False
        self.transferring = False
        self._target, self._fault, self._answer = target, fault, answer
        self._turns: Counter[tuple[str, str, str]] = Counter()
        self._last: tuple[Any, ...] = ()
        self._lasts = False
        self._http = URLLib3Session(timeout=60)

    def before_send(
        self, request: AWSPreparedRequest, event_name: str, service: ServiceModel
    ) -> AWSResponse | None:
        """What botocore asks before it sends: an answer, an exception, or None to send it."""
        if self.killed:
            self._die()  # a dead process sends nothing more
        self.requests += 1
        operation = event_name.rpartition(".")[2]
        call = self._record(request, service.service_name, operation)
        target = self._target
        if target is None or (call.step, call.service, call.operation) != (
            target.step,
            target.service,
            target.operation,
        ):
            return None
        if self._answer:
            self.hits += 1
            return self._answer(request, service)
        if call == target or (self._lasts and call.turn > target.turn):
            return self._misbehave(request, service)
        return None

    def _record(self, request: AWSPreparedRequest, service: str, operation: str) -> Call:
        key = (self.step, service, operation)
        body = request.body if isinstance(request.body, bytes | str) else None
        asked = (*key, request.url, body)
        invocation = request.headers.get("amz-sdk-invocation-id")
        if self._last[:-1] != asked and self._last[-1:] != (invocation,):
            self._turns[key] += 1
            self.calls.append(Call(*key, self._turns[key]))
        self._last = (*asked, invocation)
        return Call(*key, self._turns[key])

    def _misbehave(self, request: AWSPreparedRequest, service: ServiceModel) -> AWSResponse | None:
        self.hits += 1
        if self._fault in LASTING:
            self._lasts = True
            return refusal(LASTING[self._fault], service, request)
        if self.hits > 1:
            return None
        if self._fault == ONCE:
            return refusal("throttled", service, request)
        if self._fault != KILLED_BEFORE:
            self._http.send(request)
        if self._fault == TIMEOUT:
            raise ReadTimeoutError(endpoint_url=request.url)
        self.killed = True
        return self._die()

    def _die(self) -> NoReturn:
        # An upload cut off by something that is no Exception would wait for itself for ever.
        raise CutOffError if self.transferring else Killed

    @property
    def target_operation(self) -> str:
        """The operation that is broken, as AWS calls it."""
        return self._target.operation if self._target else ""

    def close(self) -> None:
        """Close the connections that were made for what should take effect first."""
        self._http.close()


class FaultyClients(Clients):
    """The steps' clients, whose calls go through the injector of the moment."""

    def __init__(self) -> None:
        self.injector = Injector()

    def _client(self, service: str) -> Any:
        client = super()._client(service)
        model = client.meta.service_model

        def before_send(request: AWSPreparedRequest, event_name: str, **_: Any) -> Any:
            return self.injector.before_send(request, event_name, model)

        client.meta.events.register("before-send", before_send)
        if service == "s3":
            client.upload_file = _killable(client.upload_file, self)
            client.download_file = _killable(client.download_file, self)
        return client


def _killable(transfer: Any, clients: FaultyClients) -> Callable[..., Any]:
    """An upload or a download in this thread: a kill in another one would pass unseen."""

    def transfer_file(*values: Any, Config: TransferConfig | None = None, **named: Any) -> None:  # noqa: N803
        config = Config or TransferConfig()
        config.use_threads = False
        injector = clients.injector
        injector.transferring = True
        try:
            transfer(*values, Config=config, **named)
        except (CutOffError, Boto3Error):
            if not injector.killed:
                raise
            raise Killed from None
        finally:
            injector.transferring = False

    return transfer_file


@contextmanager
def quick_retries() -> Iterator[None]:
    """Let botocore retry at once; the number of tries and what is tried again stay its own.

    Its allowance of retries, 500 points a client, is not drawn on: the clients here outlive
    hundreds of runs, each of which would have had its own.
    """
    with (
        mock.patch.object(ExponentialBackoff, "delay_amount", lambda *_: BACKOFF_SECONDS),
        mock.patch.object(RetryQuota, "acquire", lambda *_: True),
    ):
        yield
