"""The HTTP server of the container: GET /ping, POST /invocations, as SageMaker asks for them.

    SM_MODEL_DIR=/opt/ml/model python serving/server.py serve

The model is loaded before the first request is answered, so a 200 from /ping means that it
answers. https://docs.aws.amazon.com/sagemaker/latest/dg/your-algorithms-inference-code.html
"""

import importlib
import json
import logging
import os
import signal
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

MAX_BODY_BYTES = 4 * 1024 * 1024  # SageMaker Serverless refuses larger payloads
log = logging.getLogger("serving")


class InferenceServer(ThreadingHTTPServer):
    """Answers with the handler functions in `inference`; one model, shared by all threads."""

    daemon_threads = False  # shutting down waits for requests in flight

    def __init__(self, address: tuple[str, int], inference: Any, model_dir: str) -> None:
        super().__init__(address, InferenceHandler)
        self.inference = inference
        self.payload = importlib.import_module("payload")
        self.model = inference.model_fn(model_dir)
        # A model that loads but cannot answer must not become ready.
        request = inference.input_fn(b'{"inputs": "ready?"}', "application/json")
        inference.predict_fn(request, self.model)


class InferenceHandler(BaseHTTPRequestHandler):
    """One request; errors are JSON, and never a traceback."""

    server: InferenceServer
    protocol_version = "HTTP/1.1"
    timeout = 60  # seconds that a client may keep a connection silent
    disable_nagle_algorithm = True

    def do_GET(self) -> None:
        """Answer /ping, the health check."""
        if self.path == "/ping":
            self._answer(200, "{}")
        else:
            self._refuse(404, f"No such path: {self.path!r}. Expected /ping or /invocations.")

    def do_POST(self) -> None:
        """Answer /invocations, the prediction."""
        length = self.headers.get("Content-Length", "")
        if not length.isdecimal():
            self._refuse(411, "Expected a Content-Length header.")
        elif int(length) > MAX_BODY_BYTES:
            self._refuse(413, f"The body has {length} bytes, the limit is {MAX_BODY_BYTES}.")
        elif self.path != "/invocations":
            self.rfile.read(int(length))
            self._refuse(404, f"No such path: {self.path!r}. Expected /ping or /invocations.")
        else:
            self._invoke(self.rfile.read(int(length)))

    def _invoke(self, body: bytes) -> None:
        inference = self.server.inference
        try:
            request = inference.input_fn(body, self.headers.get("Content-Type", ""))
            prediction = inference.predict_fn(request, self.server.model)
            answer = inference.output_fn(prediction, self.headers.get("Accept", "*/*"))
        except self.server.payload.BadRequestError as error:
            self._refuse(error.status, str(error))
        except Exception:
            log.exception("prediction failed")
            self._refuse(500, "The model could not answer. The cause is in the container's log.")
        else:
            self._answer(200, answer)

    def _refuse(self, status: int, message: str) -> None:
        # What was not read of the body would be taken for the next request.
        self.close_connection = True
        self._answer(status, json.dumps({"error": message}))

    def _answer(self, status: int, body: str) -> None:
        payload = body.encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(payload)))
        self.send_header("X-Model-Version", self.server.model.version or "")
        self.end_headers()
        self.wfile.write(payload)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base class's name
        """Log requests at debug level only: health checks would drown everything else."""
        log.debug(format, *args)


def main(arguments: list[str]) -> int:
    """Serve until SIGTERM; returns the exit code."""
    logging.basicConfig(
        level=os.environ.get("LOG_LEVEL", "INFO"), format="%(levelname)s %(message)s"
    )
    if arguments != ["serve"]:
        log.error("Expected the argument 'serve', got %r.", arguments)
        return 2
    model_dir = os.environ.get("SM_MODEL_DIR", "/opt/ml/model")
    # The handler functions travel in the tarball, beside the weights that they are made for; what
    # does not travel there is taken from beside this file.
    sys.path[:0] = [str(Path(model_dir, "code")), str(Path(__file__).parent)]
    host = os.environ.get("SERVING_HOST", "0.0.0.0")  # noqa: S104 - a container listens on all
    port = int(os.environ.get("SAGEMAKER_BIND_TO_PORT", "8080"))
    server = InferenceServer((host, port), importlib.import_module("inference"), model_dir)
    signal.signal(signal.SIGTERM, lambda *_: threading.Thread(target=server.shutdown).start())
    log.info("listening on port %d", server.server_port)
    server.serve_forever(poll_interval=0.1)
    server.server_close()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
