"""The container's server in a thread of the test, on a model that the test holds in its hand."""

import json
import logging
import socket
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import application
import payload
import pytest
import requests
import server
from counters import Counters

WAIT_SECONDS = 30


class Handlers:
    """Handler functions of a model that waits at "slow" and fails at "crash"."""

    version = "0123456789ab"

    def __init__(self) -> None:
        self.began, self.go_on = threading.Semaphore(0), threading.Semaphore(0)
        self.broken, self.score = False, 0.75
        self.thread = ""  # the name of the one that was asked last

    def model_fn(self, model_dir: str) -> "Handlers":
        return self

    def input_fn(self, body: bytes, content_type: str) -> payload.Request:
        return payload.read(body, content_type)

    def predict_fn(self, request: payload.Request, model: "Handlers") -> dict[str, Any]:
        self.thread = threading.current_thread().name
        if "slow" in request.texts:
            self.began.release()
            assert self.go_on.acquire(timeout=WAIT_SECONDS)
        if self.broken or "crash" in request.texts:
            raise RuntimeError(f"cannot read {request.texts}")
        said = {"label": "POSITIVE", "score": self.score, "tokens": 1, "unknown_tokens": 0}
        return request.answer([said | {"text": text} for text in request.texts], self.version)

    def output_fn(self, answer: dict[str, Any], accept: str) -> str:
        return payload.write(answer, accept)


class Running:
    """A server that runs, and a client of it."""

    def __init__(self, **options: Any) -> None:
        self.handlers = Handlers()
        model = application.Model(self.handlers, "")
        settings = {
            "threads": 2,
            "queue": 8,
            "max_bytes": payload.MAX_BYTES,
            "counters": Counters(),
        }
        self.application = application.Application(model, **settings | options)
        self.server = server.http_server(self.application, model.version)
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listening.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        self._thread = threading.Thread(
            target=self.server.run, kwargs={"sockets": [self._listening]}
        )
        self._thread.start()

    def stop(self) -> None:
        """End as after SIGTERM."""
        self.server.should_exit = True
        self.handlers.go_on.release(100)
        self._thread.join(WAIT_SECONDS)
        assert not self._thread.is_alive()

    def wait_until_taken(self, places: int) -> None:
        """Wait until so many requests are answered or wait for it."""
        deadline = time.monotonic() + WAIT_SECONDS
        while self.application.taken != places:
            assert time.monotonic() < deadline
            time.sleep(0.01)

    def ask(self, text: Any, **headers: str) -> requests.Response:
        """POST one text."""
        return self.post(json.dumps({"inputs": text}).encode(), **headers)

    def post(self, body: bytes, content_type: str = payload.JSON, **headers: str) -> Any:
        """POST `body`."""
        return requests.post(
            f"{self.url}/invocations",
            data=body,
            headers={"Content-Type": content_type, **headers},
            timeout=WAIT_SECONDS,
        )

    def post_raw(self, body: bytes, headers: dict[bytes, bytes]) -> requests.Response:
        """POST `body` with headers as they are."""
        return requests.post(
            f"{self.url}/invocations", data=body, headers=headers, timeout=WAIT_SECONDS
        )

    def get(self, path: str) -> requests.Response:
        """GET `path`."""
        return requests.get(self.url + path, timeout=WAIT_SECONDS)

    def connect(self) -> socket.socket:
        """A connection without a request yet."""
        return socket.create_connection(("127.0.0.1", self.port), timeout=WAIT_SECONDS)


@pytest.fixture
def start() -> Iterator[Callable[..., Running]]:
    """Starts servers with options of `Application`, and ends them after the test."""
    started: list[Running] = []

    def start_one(**options: Any) -> Running:
        started.append(Running(**options))
        return started[-1]

    yield start_one
    for running in started:
        running.stop()


@pytest.fixture(scope="package")
def running() -> Iterator[Running]:
    """A server that tests share: what one does to it, no other may notice."""
    running = Running()
    logging.getLogger("uvicorn").setLevel(logging.ERROR)
    yield running
    running.stop()
