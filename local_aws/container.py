"""A serving process behind an endpoint: counts who uses it, and can be stopped at any moment."""

import shutil
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import requests

from local_aws.children import Children
from pipeline_steps.serving_process import ServingError, ServingProcess

PING_SECONDS = 5


class ThrottledError(RuntimeError):
    """As many requests are being answered as the endpoint's MaxConcurrency allows."""


class Container(ServingProcess):
    """A serving process that knows who uses it and can be stopped at any moment."""

    def __init__(
        self,
        folder: Path,
        environment: dict[str, str],
        variant_name: str,
        most: int | None,
        children: Children,
    ) -> None:
        super().__init__(folder, environment)
        self.variant_name, self.most = variant_name, most
        self._children = children
        self._cancelled = False
        self._users = 0
        self._unused = threading.Condition()

    def start(self) -> None:
        """Start the process and wait until /ping says 200."""
        super().start()
        if not requests.get(f"{self.url}/ping", timeout=PING_SECONDS).ok:
            raise ServingError(f"/ping did not answer 200:\n{self.log()}")

    def _wait_for_port(self) -> int:
        assert self.pid is not None  # noqa: S101 - it was just started
        self._children.add(self.pid)
        if self._cancelled:
            raise ServingError("The server is stopping.")
        return super()._wait_for_port()

    @contextmanager
    def in_use(self) -> Iterator["Container"]:
        """Keep the process until the block ends, even if it is retired meanwhile.

        Raises:
            ThrottledError: `most` requests are in it already.
        """
        with self._unused:
            if self.most is not None and self._users >= self.most:
                raise ThrottledError
            self._users += 1
        try:
            yield self
        finally:
            with self._unused:
                self._users -= 1
                self._unused.notify_all()

    def stop_when_unused(self) -> None:
        """Wait for the requests in flight, then stop."""
        with self._unused:
            self._unused.wait_for(lambda: self._users == 0 or self._cancelled)
        self.stop()

    def stop(self) -> None:
        """End the process, if it was started, and remove its folder."""
        with self._unused:
            self._cancelled = True
            self._unused.notify_all()
        super().stop()
        if self.pid is not None:
            self._children.discard(self.pid)
        shutil.rmtree(self.model_dir, ignore_errors=True)
