"""The HTTP server of the container, as SageMaker starts it.

    SM_MODEL_DIR=/opt/ml/model python serving/server.py serve

The model is loaded, and has answered once, before the port is opened: a 200 from /ping means that
it answers. SIGTERM ends the server; requests in flight are answered first, or told to come again
where that takes longer than `GRACE_SECONDS`.
docs/serving.md lists the environment variables.
"""

import importlib
import logging
import os
import signal
import socket
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
IDLE_SECONDS = 65  # a connection without a request; load balancers give up after 60
GRACE_SECONDS = 25  # for requests in flight; SageMaker kills 30 seconds after SIGTERM
HEADER_BYTES = 32 * 1024
BACKLOG = 128
log = logging.getLogger("serving")


@dataclass(frozen=True)
class Options:
    """What the environment says; 0 threads stands for the cores that the process really has."""

    model_dir: str
    host: str
    port: int
    threads: int
    queue: int
    max_megabytes: int
    metrics: int

    @classmethod
    def read(cls, environment: Mapping[str, str]) -> "Options":
        """Read them.

        Raises:
            ValueError: one is not of its kind; the message names it.
        """

        def number(name: str, default: int, highest: int) -> int:
            value = environment.get(name, str(default))
            if not value.isdecimal() or int(value) > highest:
                raise ValueError(f"{name} is {value!r}, expected a number from 0 to {highest}.")
            return int(value)

        return cls(
            model_dir=environment.get("SM_MODEL_DIR", "/opt/ml/model"),
            host=environment.get("SERVING_HOST", "0.0.0.0"),  # noqa: S104 - a container's all
            port=number("SAGEMAKER_BIND_TO_PORT", 8080, 65535),
            threads=number("SERVING_THREADS", 0, 256),
            queue=number("SERVING_QUEUE", 64, 10_000),
            # Batch Transform sets it to what the job asks for.
            max_megabytes=number("SAGEMAKER_MAX_PAYLOAD_IN_MB", 6, 100),
            metrics=number("SERVING_METRICS", 0, 1),
        )


def main(arguments: list[str]) -> int:
    """Serve until SIGTERM; returns the exit code."""
    # As the first process of a container, Python has no default for SIGTERM.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    # The handler functions travel in the tarball, beside the weights that they are made for; what
    # does not travel there is taken from beside this file.
    model_dir = os.environ.get("SM_MODEL_DIR", "/opt/ml/model")
    sys.path[:0] = [str(Path(model_dir, "code")), str(HERE)]
    json_log = importlib.import_module("json_log")
    try:
        json_log.start(os.environ.get("LOG_LEVEL", "INFO"))
        options = Options.read(os.environ)
    except ValueError as error:
        json_log.start("INFO")
        log.error("Refused to start: %s", error)
        return 2
    if arguments != ["serve"]:
        log.error("Expected the argument 'serve', got %r.", arguments)
        return 2
    try:
        serve(options)
    except Exception as error:
        log.exception("Refused to start: %s: %s", type(error).__name__, error)
        return 1
    return 0


def serve(options: Options) -> None:
    """Load the model of `options`, open the port, and answer until SIGTERM."""
    cores = importlib.import_module("cores")
    threads = options.threads or cores.usable_cores()
    # One request, one core: threads inside a prediction would only contend with the other requests.
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    application = importlib.import_module("application")
    model = application.Model(importlib.import_module("inference"), options.model_dir)
    model.prove()
    app = application.Application(
        model,
        threads=threads,
        queue=options.queue,
        max_bytes=options.max_megabytes * 1024 * 1024,
        counters=importlib.import_module("counters").Counters() if options.metrics else None,
    )
    listening = socket.create_server((options.host, options.port), backlog=BACKLOG)
    log.info(
        "listening on port %d",
        listening.getsockname()[1],
        extra={"fields": {"model_version": model.version, "threads": threads}},
    )
    try:
        http_server(app, model.version).run(sockets=[listening])
    except SystemExit as end:
        # Everybody has been answered. The thread of a prediction that outlasted the grace cannot be
        # ended, and Python would wait for it, longer than SageMaker does.
        os._exit(int(end.code or 0))


def http_server(app: Any, version: str) -> Any:
    """uvicorn, set up for `app`."""
    uvicorn, connections = map(importlib.import_module, ("uvicorn", "connections"))
    config = uvicorn.Config(
        app,
        http=connections.Connection,
        loop="asyncio",
        ws="none",
        lifespan="off",
        interface="asgi3",
        log_config=None,
        access_log=False,
        proxy_headers=False,
        server_header=False,
        headers=[("X-Model-Version", version)],
        h11_max_incomplete_event_size=HEADER_BYTES,
        timeout_keep_alive=IDLE_SECONDS,
        timeout_graceful_shutdown=GRACE_SECONDS,
    )
    server = uvicorn.Server(config)
    app.connections = server.server_state.connections
    return server


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
