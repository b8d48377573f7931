"""The Lambda Runtime API, which AWS's runtime client asks for events and tells the answers.

https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html
One API serves one execution environment, and that handles one event at a time.
"""

import queue
import time
import uuid
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler
from typing import Any, Literal

from local_aws.http_server import HOST, StoppableServer

PREFIX = "/2018-06-01/runtime"


@dataclass(frozen=True)
class Event:
    """An event on its way to the function."""

    request_id: str
    payload: bytes
    function_arn: str
    deadline: float  # seconds since the epoch


@dataclass(frozen=True)
class Message:
    """What the runtime client, or the end of its process, says."""

    kind: Literal["next", "response", "error", "init/error", "exit"]
    body: bytes = b""


class RuntimeApi:
    """The API of one environment, on a loopback port of its own."""

    def __init__(self) -> None:
        self.events: queue.SimpleQueue[Event | None] = queue.SimpleQueue()
        self._messages: queue.SimpleQueue[Message] = queue.SimpleQueue()
        self._server = _Server((HOST, 0), _Handler)
        self._server.api = self
        self._server.start()
        self.address = f"{HOST}:{self._server.bound_port}"

    def tell(self, message: Message) -> None:
        """Take in what the runtime says."""
        self._messages.put(message)

    def wait_until_ready(self, seconds: float) -> Message:
        """The first thing that the runtime says: "next" when it is ready.

        Raises:
            TimeoutError: it said nothing for `seconds`.
        """
        try:
            return self._messages.get(timeout=seconds)
        except queue.Empty:
            raise TimeoutError from None

    def handle(self, payload: bytes, function_arn: str, seconds: float) -> tuple[str, Message]:
        """Give the function an event; returns the request's id and the outcome.

        Raises:
            TimeoutError: no outcome within `seconds`; carries the request's id.
        """
        event = Event(str(uuid.uuid4()), payload, function_arn, time.time() + seconds)
        self.events.put(event)
        give_up = time.monotonic() + seconds
        while True:
            try:
                message = self._messages.get(timeout=max(give_up - time.monotonic(), 0))
            except queue.Empty:
                raise TimeoutError(event.request_id) from None
            # "next" is said after each event, so here it belongs to the one before.
            if message.kind != "next":
                return event.request_id, message

    def close(self) -> None:
        """Release the port and whoever still waits for an event."""
        self.events.put(None)
        self._server.stop()


class _Server(StoppableServer):
    api: RuntimeApi


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    # Without these three a call takes 89 ms instead of 0.4: small packets wait for one another.
    protocol_version = "HTTP/1.1"
    wbufsize = -1
    disable_nagle_algorithm = True

    def do_GET(self) -> None:
        """Hand out the next event, when there is one."""
        if self.path != f"{PREFIX}/invocation/next":
            self._answer(404)
            return
        self.server.api.tell(Message("next"))
        event = self.server.api.events.get()
        if event is None:
            self.close_connection = True
            return
        headers = {
            "Content-Type": "application/json",
            "Lambda-Runtime-Aws-Request-Id": event.request_id,
            "Lambda-Runtime-Deadline-Ms": str(int(event.deadline * 1000)),
            "Lambda-Runtime-Invoked-Function-Arn": event.function_arn,
        }
        self._answer(200, event.payload, headers)

    def do_POST(self) -> None:
        """Take the outcome of an event, or of the initialisation."""
        body = self.rfile.read(int(self.headers.get("Content-Length", "0")))
        if self.path == f"{PREFIX}/init/error":
            self.server.api.tell(Message("init/error", body))
        elif self.path.endswith("/response"):
            self.server.api.tell(Message("response", body))
        elif self.path.endswith("/error"):
            self.server.api.tell(Message("error", body))
        else:
            self._answer(404)
            return
        self._answer(202, b'{"status":"OK"}', {"Content-Type": "application/json"})

    def _answer(
        self, status: int, body: bytes = b"", headers: dict[str, str] | None = None
    ) -> None:
        self.send_response(status)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
        self.wfile.flush()

    def log_message(self, *_: Any) -> None:
        """Nothing: the function's own output is the log."""
