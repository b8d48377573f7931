"""Clients that are slow, half gone or no clients at all, on bare sockets."""

import json
import socket
import threading
import time
from collections.abc import Callable
from typing import Any

import application
import connections
import pytest

Start = Callable[..., Any]
WAIT_SECONDS = 30
BODY = b'{"inputs": "%s"}'


def request(text: bytes = b"fine", *headers: bytes) -> bytes:
    body = BODY % text
    lines = [
        b"POST /invocations HTTP/1.1", b"Host: here", b"Content-Type: application/json",
        b"Content-Length: %d" % len(body), *headers, b"", body,
    ]  # fmt: skip
    return b"\r\n".join(lines)


def read_all(client: socket.socket) -> bytes:
    """Everything until the server closes the connection."""
    received = b""
    while data := client.recv(65536):
        received += data
    return received


def refusal_in(received: bytes) -> str:
    head, _, body = received.partition(b"\r\n\r\n")
    assert b"content-type: application/json" in head
    assert b"x-model-version: 0123456789ab" in head
    error: str = json.loads(body)["error"]
    return error


def is_well(running: Any) -> bool:
    return bool(running.ask("fine").status_code == 200)


@pytest.mark.parametrize(
    "garbage",
    [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03 a TLS hello\r\n\r\n",
        b"POST /invocations HTTP/1.1\r\nno colon\r\n\r\n",
        b"POST /invocations HTTP/1.1\r\nHost: a\r\nContent-Length: -1\r\n\r\n",
        b"POST /invocations HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
        b"GET /ping HTTP/1.1\r\nHost: a\r\nX: " + b"a" * 1_000_000,
    ],
    ids=["tls", "no colon", "negative length", "two lengths", "huge header"],
)
def test_what_is_not_http_is_400(running: Any, garbage: bytes) -> None:
    with running.connect() as client:
        try:
            client.sendall(garbage)
            received = read_all(client)
        except (BrokenPipeError, ConnectionResetError):
            assert b"a" * 1000 in garbage  # closed while the header was still coming
        else:
            assert received.startswith(b"HTTP/1.1 400 ")
            assert refusal_in(received) == "Invalid HTTP request received."
    assert is_well(running)


def test_half_headers_time_out(running: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "HEADER_SECONDS", 0.2)
    with running.connect() as client:
        client.sendall(b"POST /invocations HTTP/1.1\r\nHost: he")
        received = read_all(client)
    assert received.startswith(b"HTTP/1.1 408 ")
    assert "headers did not arrive" in refusal_in(received)


def test_silent_connection_is_closed(running: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "HEADER_SECONDS", 0.2)
    with running.connect() as client:
        assert read_all(client) == b""


def test_half_second_request_times_out(running: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "HEADER_SECONDS", 0.2)
    with running.connect() as client:
        client.sendall(request())
        assert client.recv(65536).startswith(b"HTTP/1.1 200 ")
        client.sendall(b"POST /invo")
        assert b"HTTP/1.1 408 " in read_all(client)


def test_half_body_times_out(running: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(application, "BODY_SECONDS", 0.2)
    monkeypatch.setattr(application, "LINGER_SECONDS", 0.2)
    with running.connect() as client:
        client.sendall(request()[:-5])
        received = read_all(client)
    assert received.startswith(b"HTTP/1.1 408 ")
    assert "body did not arrive" in refusal_in(received)


def test_client_that_never_reads_is_let_go(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "READ_SECONDS", 0.2)
    running = start()
    lost = threading.Event()
    forget = connections.Connection.connection_lost

    def note(connection: Any, error: Exception | None) -> None:
        forget(connection, error)
        lost.set()

    monkeypatch.setattr(connections.Connection, "connection_lost", note)
    body = b'"a good film"\n' * 200_000  # answered in 20 MB, more than the buffers on the way hold
    head = (
        b"POST /invocations HTTP/1.1\r\nHost: here\r\nContent-Type: application/jsonlines\r\n"
        b"Content-Length: %d\r\n\r\n" % len(body)
    )
    with running.connect() as client:
        client.sendall(head + body)
        assert lost.wait(30)
    assert is_well(running)


@pytest.mark.parametrize("cut", [60, -5], ids=["in the headers", "in the body"])
def test_client_that_goes_before_its_end_is_forgotten(running: Any, cut: int) -> None:
    for _ in range(20):  # more than there are places
        with running.connect() as client:
            client.sendall(request()[:cut])
    # Which of them have come when the last one goes is the system's choice, so look more than once.
    deadline = time.monotonic() + WAIT_SECONDS
    while not is_well(running):
        assert time.monotonic() < deadline
        running.wait_until_taken(0)


def test_client_that_goes_before_its_answer_is_forgotten(start: Start) -> None:
    running = start(threads=1, queue=2, at_once_bytes=0)
    for _ in range(5):
        with running.connect() as client:
            client.sendall(request(b"slow"))
            assert running.handlers.began.acquire(timeout=30)
        running.handlers.go_on.release()
        running.wait_until_taken(0)
    assert is_well(running)


def test_requests_in_one_packet_are_answered_in_order(running: Any) -> None:
    with running.connect() as client:
        client.sendall(request(b"one") + request(b"two", b"Connection: close"))
        received = read_all(client)
    assert received.count(b"HTTP/1.1 200 ") == 2
    assert received.index(b'"text": "one"') < received.index(b'"text": "two"')


def test_answers_leave_without_delay(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[Any] = []
    make = connections.Connection.connection_made

    def note(connection: Any, transport: Any) -> None:
        make(connection, transport)
        sock = transport.get_extra_info("socket")
        made.append(sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY))

    monkeypatch.setattr(connections.Connection, "connection_made", note)
    assert is_well(start())
    assert made
    assert all(made)


def test_ending_server_answers_who_is_served_and_takes_nobody_new(start: Start) -> None:
    running = start(threads=1, at_once_bytes=0)
    with running.connect() as served, running.connect() as idle:
        served.sendall(request(b"slow"))
        assert running.handlers.began.acquire(timeout=30)
        running.server.should_exit = True
        assert read_all(idle) == b""  # it has begun to end
        with pytest.raises(ConnectionRefusedError):
            running.connect()
        running.handlers.go_on.release()
        received = read_all(served)
    assert received.startswith(b"HTTP/1.1 200 ")
