"""Whatever a client sends, the fault is told as its own, in JSON, and without a traceback."""

import json
import socket
from contextlib import suppress
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

FORMATS = ("application/json", "application/jsonlines", "text/csv")
values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=8,
)
requests_like = st.fixed_dictionaries(
    {"inputs": values},
    optional={"parameters": st.dictionaries(st.sampled_from(["explain", "top_k"]), values)},
)
bodies = st.binary() | (values | requests_like).map(lambda value: json.dumps(value).encode())
# What a header may hold: visible characters and spaces, none of them at the ends.
header_values = st.from_regex(rb"[!-~]([ -~]{0,40}[!-~])?", fullmatch=True)


@settings(
    deadline=None, max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    body=bodies,
    content_type=header_values | st.sampled_from([name.encode() for name in FORMATS]),
    accept=header_values | st.sampled_from([b"*/*", b"text/csv", b"application/*;q=0.1"]),
    extra=st.dictionaries(
        st.from_regex(rb"x-[a-z]{1,10}", fullmatch=True), header_values, max_size=3
    ),
)
def test_no_request_makes_the_server_fail(
    running: Any, body: bytes, content_type: bytes, accept: bytes, extra: dict[bytes, bytes]
) -> None:
    # "crash" is this model's own failure, and "slow" would wait.
    if b"crash" in body or b"slow" in body:
        return
    headers = {b"Content-Type": content_type, b"Accept": accept, **extra}
    answer = running.post_raw(body, headers)
    assert answer.status_code < 500
    assert "Traceback" not in answer.text
    assert answer.headers["X-Model-Version"]
    assert answer.headers["Content-Type"] in FORMATS
    if answer.status_code != 200:
        assert set(answer.json()) == {"error"}


@settings(deadline=None, max_examples=50)
@given(noise=st.binary(min_size=1, max_size=400))
def test_noise_on_the_line_harms_nobody(running: Any, noise: bytes) -> None:
    received = b""
    # A server that refuses before it has read everything may reset the connection.
    with running.connect() as client, suppress(ConnectionResetError, BrokenPipeError):
        client.sendall(noise + b"\r\n\r\n")
        client.shutdown(socket.SHUT_WR)
        received = client.recv(65536)
    assert not received or int(received.split()[1]) < 500
    assert running.get("/ping").status_code == 200
