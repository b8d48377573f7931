"""A threaded HTTP server on the loopback that can be stopped without leaving anything behind."""

import errno
import logging
import socket
import socketserver
import sys
import threading
from http.server import HTTPServer
from typing import Any

from pipeline_steps.errors import ConfigurationError

HOST = "127.0.0.1"
log = logging.getLogger("local_aws")


class StoppableServer(socketserver.ThreadingMixIn, HTTPServer):
    """Runs in a thread of its own; `stop` ends idle connections and waits for busy ones."""

    daemon_threads = False

    def __init__(self, *arguments: Any, **settings: Any) -> None:
        self._connections: set[socket.socket] = set()
        self._runner: threading.Thread | None = None
        super().__init__(*arguments, **settings)

    @property
    def bound_port(self) -> int:
        """The port it listens on."""
        return int(self.socket.getsockname()[1])

    def server_bind(self) -> None:
        """Bind without the name look-up of the base class, which may wait for a DNS server."""
        socketserver.TCPServer.server_bind(self)
        self.server_name, self.server_port = HOST, self.bound_port

    def start(self) -> None:
        """Begin to answer."""
        self._runner = threading.Thread(
            target=self.serve_forever,
            kwargs={"poll_interval": 0.05},
            name=f"port-{self.bound_port}",
        )
        self._runner.start()

    def process_request(self, request: Any, client_address: Any) -> None:
        """Note the connection, then let a thread answer."""
        self._connections.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        """Forget the connection and close it."""
        self._connections.discard(request)
        super().shutdown_request(request)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Log a failed request; a client that hung up is none."""
        if not isinstance(sys.exception(), ConnectionError):
            log.exception("port %d: a request of %s failed", self.bound_port, client_address)

    def stop(self) -> None:
        """Stop listening; returns when the last request has been answered."""
        if self._runner is not None:
            self.shutdown()
        for connection in list(self._connections):
            try:
                # The reading side only: an answer on its way still gets out.
                connection.shutdown(socket.SHUT_RD)
            except OSError:
                continue
        if self._runner is not None:
            self._runner.join()
        self.server_close()


def listen(port: int, flag: str) -> socket.socket:
    """Bind `port` on the loopback (0: any free one).

    Raises:
        ConfigurationError: the port is taken; names `flag`.
    """
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((HOST, port))
        listener.listen(128)
    except OSError as error:
        listener.close()
        if error.errno not in (errno.EADDRINUSE, errno.EACCES):
            raise
        raise ConfigurationError(
            f"Port {port} is in use by another program ({error.strerror}). "
            f"Stop that program, or choose another port with {flag}."
        ) from error
    return listener
