"""What is served as it lies here: the page, the docs, and the contract that both speak of.

A page runs no script and no style but its own, and talks to nobody but this API:
https://developer.mozilla.org/en-US/docs/Web/HTTP/Guides/CSP
"""

import base64
import hashlib
import html
import os
import re
from functools import cache
from pathlib import Path

FOLDER = Path(__file__).parent
INLINE = re.compile(r"<(script|style)>(.*?)</\1>", re.DOTALL)
FILES = {"/": "page.html", "/docs": "docs.html", "/openapi.json": "openapi.json"}
Served = tuple[dict[str, str], str]  # headers and body


@cache
def serve(path: str) -> Served:
    """Headers and body of the page at `path`, which is one of `FILES`."""
    text = (FOLDER / FILES[path]).read_text(encoding="utf-8")
    if path == "/openapi.json":
        return {"Content-Type": "application/json", "Cache-Control": "no-cache"}, text
    if path == "/docs":
        text = text.replace("{{STYLE}}", _style())
    for name in ("MODEL_VERSION", "REPORT_URL"):
        text = text.replace("{{" + name + "}}", html.escape(os.environ.get(name, "")))
    headers = {
        "Content-Type": "text/html; charset=utf-8",
        "Cache-Control": "no-cache",
        "Content-Security-Policy": _policy(text),
        "Referrer-Policy": "no-referrer",
        "X-Frame-Options": "DENY",
        "Strict-Transport-Security": "max-age=31536000",
        "Cross-Origin-Opener-Policy": "same-origin",
        "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
    }
    return headers, text


def _style() -> str:
    """The style of the page, which the docs share."""
    page = (FOLDER / FILES["/"]).read_text(encoding="utf-8")
    return next(inline for kind, inline in INLINE.findall(page) if kind == "style")


def _policy(text: str) -> str:
    """A content security policy for exactly the scripts and styles that are in the page."""
    hashes: dict[str, list[str]] = {"script": [], "style": []}
    for kind, inline in INLINE.findall(text):
        digest = base64.b64encode(hashlib.sha256(inline.encode()).digest()).decode()
        hashes[kind].append(f"'sha256-{digest}'")
    rules = [
        "default-src 'none'",
        f"script-src {' '.join(hashes['script'])}",
        f"style-src {' '.join(hashes['style'])}",
        "connect-src 'self'",
        "img-src data:",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
    ]
    return "; ".join(rules)
