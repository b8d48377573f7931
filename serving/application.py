"""What the container answers: GET /ping, POST /invocations, GET /execution-parameters, /metrics.

An ASGI application (https://asgi.readthedocs.io/en/latest/specs/www.html) on the handler functions
of `inference`. Errors are JSON and never hold a traceback. The paths are SageMaker's:
https://docs.aws.amazon.com/sagemaker/latest/dg/your-algorithms-inference-code.html
https://docs.aws.amazon.com/sagemaker/latest/dg/your-algorithms-batch-code.html
"""

import asyncio
import json
import logging
import re
import time
import traceback
from collections.abc import Awaitable, Callable, Collection
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import payload
from payload import BadRequestError

BODY_SECONDS = 30.0  # from a request's headers to the last byte of its body
LINGER_SECONDS = 5.0  # that the unread body of a refused request is thrown away
JOB_MEGABYTES = 1  # of a Batch Transform request, so that one is answered well within its time
AT_ONCE_BYTES = 1024  # of one text: a few hundred tokens at most, tens of milliseconds
SEVERAL = re.compile(rb"[\[\r\n]")  # a body without a list and without lines has one text at most
log = logging.getLogger("serving")

Message = dict[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]


@dataclass(frozen=True)
class Answer:
    """An HTTP answer; `records` counts the predictions in it, and headers stand beside the usual.

    `unread` says that the request's body was not read: the connection cannot be used again.
    """

    status: int
    body: bytes
    media_type: str = payload.JSON
    records: int = 0
    headers: tuple[tuple[bytes, bytes], ...] = ()
    unread: bool = False


def refusal(
    status: int, message: str, *headers: tuple[bytes, bytes], unread: bool = False
) -> Answer:
    """An answer that says what was wrong."""
    body = json.dumps({"error": message}).encode()
    return Answer(status, body, headers=headers, unread=unread)


class Model:
    """The model and the handler functions that travel with it; may be asked from many threads."""

    def __init__(self, inference: Any, model_dir: str) -> None:
        self._inference, self._loaded = inference, inference.model_fn(model_dir)
        self.version: str = self._loaded.version or ""

    def prove(self) -> None:
        """Let it answer once; what it raises says why it cannot."""
        self.answer(b'{"inputs": "ready?"}', payload.JSON, "*/*")

    def answer(self, body: bytes, content_type: str, accept: str) -> Answer:
        """Answer one request.

        Raises:
            BadRequestError: the client's fault.
        """
        media_type = payload.answer_format(accept, content_type)
        request = self._inference.input_fn(body, content_type)
        answer = self._inference.predict_fn(request, self._loaded)
        text = self._inference.output_fn(answer, media_type)
        return Answer(200, text.encode(), media_type, len(answer.get("predictions", ())))


class Application:
    """The ASGI application of one model.

    Args:
        model: what answers.
        threads: requests that are answered at once, each on a core of its own.
        queue: requests that may wait for that; one more is told to come again.
        max_bytes: the largest body.
        counters: what /metrics shows; None leaves that path out.
        at_once_bytes: the largest body of one text that is answered without another thread while
            its client is the only one connected, as with SageMaker Serverless: handing over costs
            a sixth of a short text's answer, and nobody else waits.
    """

    def __init__(
        self,
        model: Model,
        *,
        threads: int,
        queue: int,
        max_bytes: int,
        counters: Any = None,
        at_once_bytes: int = AT_ONCE_BYTES,
    ) -> None:
        self._model, self._counters = model, counters
        self._threads, self._places, self._max_bytes = threads, threads + queue, max_bytes
        self._at_once_bytes = at_once_bytes
        self.connections: Collection[object] = ()  # those that are open, as the server knows them
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="model")
        self.taken = 0  # places: requests that are answered or wait for it
        self._doubtful = False  # whether the last request failed for a reason of ours

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Answer one request."""
        began = time.perf_counter()
        routes = {
            "/ping": ("GET", self._ping),
            "/invocations": ("POST", self._invoke),
            "/execution-parameters": ("GET", self._execution_parameters),
        } | ({"/metrics": ("GET", self._metrics)} if self._counters else {})
        path = scope["path"]
        method, route = routes.get(path, ("", None))
        if route is None:
            known = ", ".join(routes)
            answer = refusal(
                404, f"No such path: {path[:100]!r}. Expected one of: {known}.", unread=True
            )
        elif scope["method"] != method:
            allow = (b"allow", method.encode())
            answer = refusal(405, f"{path} takes {method} only.", allow, unread=True)
        else:
            answer = await route(scope, receive)
        if answer is not None:
            await _send(answer, receive, send)
        if path == "/invocations" and answer is not None:
            self._note(answer, time.perf_counter() - began)

    def _note(self, answer: Answer, seconds: float) -> None:
        if self._counters:
            self._counters.count(answer.status, seconds, answer.records)
        level = logging.DEBUG if answer.status < 400 else logging.INFO
        fields = {"status": answer.status, "records": answer.records, "ms": round(seconds * 1e3, 2)}
        log.log(level, "request", extra={"fields": fields})

    async def _ping(self, scope: Message, receive: Receive) -> Answer:
        """200 only when the model answers: it did at the start, and is asked where it may not."""
        if self._doubtful:
            try:
                await asyncio.to_thread(self._model.prove)
            except Exception as error:  # noqa: BLE001 - whatever it is, the answer is the same
                _log_without_texts(error)
                return refusal(503, "The model does not answer. The cause is in the log.")
            self._doubtful = False
        return Answer(200, b"{}")

    async def _execution_parameters(self, scope: Message, receive: Receive) -> Answer:
        """What suits a Batch Transform job that does not say otherwise."""
        suits = {
            "MaxConcurrentTransforms": self._threads,
            "BatchStrategy": "MULTI_RECORD",
            "MaxPayloadInMB": JOB_MEGABYTES,
        }
        return Answer(200, json.dumps(suits).encode())

    async def _metrics(self, scope: Message, receive: Receive) -> Answer:
        return Answer(200, self._counters.show(), self._counters.content_type)

    async def _invoke(self, scope: Message, receive: Receive) -> Answer | None:
        """The prediction; None where the client has gone."""
        headers: dict[bytes, str] = {}
        for name, value in scope["headers"]:
            text = value.decode("latin-1")
            headers[name] = f"{headers[name]}, {text}" if name in headers else text
        if refused := self._refuse_unread(headers):
            return refused
        self.taken += 1
        try:
            async with asyncio.timeout(BODY_SECONDS):
                body = await _read(receive)
            if body is None:
                return None
            return await self._predict(
                body, headers.get(b"content-type", ""), headers.get(b"accept", "*/*")
            )
        except TimeoutError:
            said = f"The body did not arrive within {BODY_SECONDS:.0f} seconds."
            return refusal(408, said, unread=True)
        except asyncio.CancelledError:  # only the end of the server's grace cancels
            said = "The server ends, and the model has not answered. Try again."
            return refusal(503, said, (b"retry-after", b"1"))
        finally:
            self.taken -= 1

    def _refuse_unread(self, headers: dict[bytes, str]) -> Answer | None:
        length = headers.get(b"content-length", "")
        if not length.isdecimal() or b"transfer-encoding" in headers:
            return refusal(411, "Expected a Content-Length header.", unread=True)
        if int(length) > self._max_bytes:
            said = f"The body has {length} bytes, the limit is {self._max_bytes}."
            return refusal(413, said, unread=True)
        if self.taken == self._places:
            said = "All places are taken. Try again in a second."
            return refusal(503, said, (b"retry-after", b"1"), unread=True)
        return None

    async def _predict(self, body: bytes, content_type: str, accept: str) -> Answer:
        loop = asyncio.get_running_loop()
        try:
            is_short = len(body) <= self._at_once_bytes and not SEVERAL.search(body.strip())
            if is_short and len(self.connections) == 1:
                return self._model.answer(body, content_type, accept)
            return await loop.run_in_executor(
                self._pool, self._model.answer, body, content_type, accept
            )
        except BadRequestError as error:
            return refusal(error.status, str(error))
        except Exception as error:  # noqa: BLE001 - logged, and no client may see it
            self._doubtful = True
            _log_without_texts(error)
            return refusal(500, "The model could not answer. The cause is in the container's log.")


def _log_without_texts(error: Exception) -> None:
    # The message of an exception may hold the text; its type and place do not.
    place = "".join(traceback.format_tb(error.__traceback__))
    fields = {"exception": type(error).__name__, "traceback": place}
    log.error("prediction failed", extra={"fields": fields})


async def _read(receive: Receive) -> bytes | None:
    """The request's body; None where the client went before its end."""
    body = bytearray()
    more = True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            return None
        body += message.get("body", b"")
        more = message.get("more_body", False)
    return bytes(body)


async def _send(answer: Answer, receive: Receive, send: Send) -> None:
    headers = [
        (b"content-type", answer.media_type.encode()),
        (b"content-length", str(len(answer.body)).encode()),
        *answer.headers,
    ]
    if answer.unread:
        headers.append((b"connection", b"close"))
    await send({"type": "http.response.start", "status": answer.status, "headers": headers})
    await send({"type": "http.response.body", "body": answer.body, "more_body": answer.unread})
    if answer.unread:
        # Closing at once would reset the connection of a client that still sends, and it would
        # never see the answer.
        try:
            async with asyncio.timeout(LINGER_SECONDS):
                while (message := await receive())["type"] != "http.disconnect":
                    if not message.get("more_body", False):
                        break
        except TimeoutError:
            pass
        await send({"type": "http.response.body", "body": b""})
