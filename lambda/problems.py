"""Requests that cannot be answered, as problem JSON: https://www.rfc-editor.org/rfc/rfc9457"""

from http import HTTPStatus
from typing import Any
from urllib.parse import quote

CONTENT_TYPE = "application/problem+json"
LONGEST_NAME = 100  # characters of a client's own field name that are told back
# Python says "Unprocessable Entity" and the like until 3.13; the contract has the words of today.
TITLES = {413: "Content Too Large", 422: "Unprocessable Content"}


class Problem(Exception):  # noqa: N818 - RFC 9457's own word
    """Why a request has no answer: its HTTP status, what to tell the client, and the cause.

    Args:
        status: the HTTP status.
        detail: for the client and the log: words of ours, never the client's.
        cause: for the log only: an error's code or type, never its message.
        pointer: where in the body, as a JSON pointer; it may hold the client's words.
        headers: more for the answer, such as Retry-After.
    """

    def __init__(
        self,
        status: int,
        detail: str,
        cause: str | None = None,
        *,
        pointer: str | None = None,
        headers: dict[str, str] | None = None,
    ) -> None:
        super().__init__(detail)
        self.status, self.cause, self.pointer = status, cause, pointer
        self.headers = {"Content-Type": CONTENT_TYPE, **(headers or {})}

    def body(self) -> dict[str, Any]:
        """What the client gets."""
        title = TITLES.get(self.status, HTTPStatus(self.status).phrase)
        detail = str(self)
        told = {"type": "about:blank", "title": title, "status": self.status, "detail": detail}
        if self.pointer is None:
            return told
        return told | {"errors": [{"pointer": self.pointer, "detail": detail}]}


def pointer_to(*path: str | int) -> str:
    """The URI fragment of a JSON pointer (RFC 6901) to a place in the body: `#/inputs/3`."""
    names = [str(name) for name in path]
    if any(len(name) > LONGEST_NAME for name in names):
        return "#"
    escaped = [name.replace("~", "~0").replace("/", "~1") for name in names]
    return "#" + "".join(f"/{quote(name, safe='~', errors='replace')}" for name in escaped)
