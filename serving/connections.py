"""uvicorn's HTTP connection, made to wait for no client for ever and to refuse in JSON.

uvicorn itself limits how long a connection may be idle between requests. It has no limit for one
that sends half a header, nor for one that never reads its answer.
"""

import asyncio
import json
import socket

import h11
from uvicorn.protocols.http.h11_impl import STATUS_PHRASES, H11Protocol

HEADER_SECONDS = 10.0  # from connecting, or from a request's first byte, to its last header
READ_SECONDS = 30.0  # that a client may leave an answer unread while it waits to be sent


class Connection(H11Protocol):
    """One client's connection."""

    _headers_due: asyncio.TimerHandle | None = None
    _reading_due: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Start to wait for the first request."""
        super().connection_made(transport)
        # asyncio does it only for sockets that were made with a protocol number; without it, an
        # answer's body waits 40 ms for the client to acknowledge its headers.
        transport.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._await_headers()

    def data_received(self, data: bytes) -> None:
        """Take what came, and wait on where it ends before a request's last header."""
        super().data_received(data)
        if self.conn.their_state is h11.IDLE:
            self._await_headers()
        else:
            self._forget_headers()

    def connection_lost(self, exc: Exception | None) -> None:
        """Wait for nothing any more."""
        self._forget_headers()
        self.resume_writing()
        super().connection_lost(exc)

    def pause_writing(self) -> None:
        """The client does not read: give it a while."""
        super().pause_writing()
        self._reading_due = self.loop.call_later(READ_SECONDS, self.transport.abort)

    def resume_writing(self) -> None:
        """The client reads again."""
        super().resume_writing()
        if self._reading_due:
            self._reading_due.cancel()
            self._reading_due = None

    def send_400_response(self, msg: str) -> None:
        """Refuse what is not HTTP, or has larger headers than the limit."""
        self._refuse(400, msg)

    def _await_headers(self) -> None:
        if self._headers_due is None:
            self._headers_due = self.loop.call_later(HEADER_SECONDS, self._headers_missing)

    def _forget_headers(self) -> None:
        if self._headers_due:
            self._headers_due.cancel()
            self._headers_due = None

    def _headers_missing(self) -> None:
        unread, _ = self.conn.trailing_data
        if unread:
            self._refuse(408, f"The headers did not arrive within {HEADER_SECONDS:.0f} seconds.")
        self.transport.close()

    def _refuse(self, status: int, message: str) -> None:
        # Nothing can be said where an answer has begun.
        if self.conn.our_state in (h11.IDLE, h11.SEND_RESPONSE):
            body = json.dumps({"error": message}).encode()
            headers = [
                *self.server_state.default_headers,
                (b"content-type", b"application/json"),
                (b"content-length", str(len(body)).encode()),
                (b"connection", b"close"),
            ]
            reason = STATUS_PHRASES[status]
            answer = h11.Response(status_code=status, headers=headers, reason=reason)
            for event in (answer, h11.Data(data=body), h11.EndOfMessage()):
                self.transport.write(self.conn.send(event) or b"")
        self.transport.close()
