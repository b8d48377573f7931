"""An endpoint on loopback for the function to ask."""

import threading
from collections.abc import Iterator
from http.server import ThreadingHTTPServer

import model_client
import pages
import pytest

from tests.function_calls import ANSWER, Runtime


@pytest.fixture(autouse=True)
def runtime(monkeypatch: pytest.MonkeyPatch) -> Iterator[type[Runtime]]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Runtime)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    Runtime.answer, Runtime.errors, Runtime.asked, Runtime.silence = ANSWER, [], [], 0
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "test")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{server.server_port}")
    monkeypatch.setenv("ENDPOINT_NAME", "the-endpoint")
    monkeypatch.setenv("MODEL_VERSION", "released00000")
    monkeypatch.setenv("AWS_LAMBDA_FUNCTION_NAME", "the-function")
    model_client.runtime.cache_clear()
    pages.serve.cache_clear()
    yield Runtime
    model_client.runtime().close()
    model_client.runtime.cache_clear()
    pages.serve.cache_clear()
    server.shutdown()
    thread.join()
    server.server_close()
