"""What API Gateway does for an HTTP API before a function is asked: CORS, throttling, access logs.

https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-cors.html
https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-throttling.html
https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-logging.html
"""

import re
import threading
import time
from collections.abc import Mapping
from typing import Any

from local_aws.http_api_event import Request, Response

VARIABLE = re.compile(r"\$context\.([\w.]+)")


class TokenBucket:
    """Lets `burst` requests through at once, and `rate` a second in the long run."""

    def __init__(self, rate: float, burst: int) -> None:
        self.limits = (rate, burst)
        self._tokens, self._at = float(burst), time.monotonic()

    def take(self) -> bool:
        """Whether one more request may pass now."""
        rate, burst = self.limits
        now = time.monotonic()
        self._tokens = min(float(burst), self._tokens + (now - self._at) * rate)
        self._at = now
        if self._tokens < 1:
            return False
        self._tokens -= 1
        return True


class Throttle:
    """The buckets of all routes: the stage's default limits hold for each route on its own."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._buckets: dict[tuple[str, str], TokenBucket] = {}

    def admits(self, api_id: str, route_key: str, settings: Mapping[str, Any]) -> bool:
        """Whether the route takes one more request; `settings` are those of the stage."""
        rate = settings.get("throttlingRateLimit")
        burst = settings.get("throttlingBurstLimit")
        if rate is None or burst is None:
            return True  # the account's own limits, which one machine does not reach
        with self._lock:
            bucket = self._buckets.get((api_id, route_key))
            if bucket is None or bucket.limits != (rate, burst):
                bucket = self._buckets[api_id, route_key] = TokenBucket(rate, burst)
            return bucket.take()


def preflight(cors: Mapping[str, Any], request: Request) -> Response | None:
    """The answer to a browser that asks first; None where the request is no such question."""
    asked = {name.lower(): value for name, value in request.headers}
    if request.method != "OPTIONS" or "access-control-request-method" not in asked:
        return None
    allowed = _origin_headers(cors, asked.get("origin", ""))
    if allowed:
        allowed += [
            ("Access-Control-Allow-Methods", ",".join(cors.get("allowMethods") or [])),
            ("Access-Control-Allow-Headers", ",".join(cors.get("allowHeaders") or [])),
            ("Access-Control-Max-Age", str(cors.get("maxAge", 0))),
        ]
    return Response(204, b"", allowed)


def with_cors(cors: Mapping[str, Any], request: Request, response: Response) -> Response:
    """The response with the API's own CORS headers instead of the function's."""
    origin = next((value for name, value in request.headers if name.lower() == "origin"), "")
    kept = [pair for pair in response.headers if not pair[0].lower().startswith("access-control-")]
    return Response(response.status, response.body, kept + _origin_headers(cors, origin))


def _origin_headers(cors: Mapping[str, Any], origin: str) -> list[tuple[str, str]]:
    if not origin or origin not in (cors.get("allowOrigins") or []):
        return []
    exposed = ",".join(cors.get("exposeHeaders") or [])
    return [
        ("Access-Control-Allow-Origin", origin),
        ("Access-Control-Expose-Headers", exposed),
        ("Vary", "origin"),
    ]


def log_line(form: str, known: Mapping[str, Any]) -> bytes:
    """A line of the access log: what is not known of a request is a dash, as AWS writes it."""
    return VARIABLE.sub(lambda found: str(known.get(found[1], "-")), form).encode()
