"""Who may call a route: API Gateway's IAM and JWT authorizers, with real signatures and tokens.

https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-jwt-authorizer.html
https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html
"""

import re
from datetime import UTC, datetime, timedelta
from typing import Any

import requests
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet

from local_aws.http_api_event import Request, Response, message

DISCOVERY_SECONDS = 5
SKEW_SECONDS = 300  # that a signature may be old, or a clock wrong
SIGNED = re.compile(
    r"AWS4-HMAC-SHA256 Credential=(?P<key>[^/]+)/\d{8}/(?P<region>[^/]+)/execute-api/"
    r"aws4_request, ?"
    r"SignedHeaders=(?P<headers>[^,]+), ?Signature=(?P<signature>[0-9a-f]{64})"
)
# The one identity that the local AWS hands out.
ACCESS_KEY, SECRET_KEY = "test", "test"


def refusal(route: Any, authorizer: Any, request: Request, host: str) -> Response | None:
    """The answer to a request that may not pass; None where it may."""
    if route.authorization_type == "AWS_IAM":
        return None if _is_signed(request, host) else message(403, "Forbidden")
    if route.authorization_type == "JWT" and not _has_token(request, authorizer.jwt_config):
        refused = message(401, "Unauthorized")
        return Response(401, refused.body, [*refused.headers, ("WWW-Authenticate", "Bearer")])
    return None


def _header(request: Request, wanted: str) -> str:
    return next((value for name, value in request.headers if name.lower() == wanted), "")


def _is_signed(request: Request, host: str) -> bool:
    """Whether the signature is the one that our own secret gives for this very request."""
    signed = SIGNED.fullmatch(_header(request, "authorization"))
    moment = _header(request, "x-amz-date")
    if signed is None or signed["key"] != ACCESS_KEY or not _is_fresh(moment):
        return False
    names = signed["headers"].split(";")
    headers = {name: _header(request, name) for name in names}
    again = AWSRequest(request.method, f"http://{host}{request.target}", headers, request.body)
    again.context["timestamp"] = moment
    signer = SigV4Auth(Credentials(ACCESS_KEY, SECRET_KEY), "execute-api", signed["region"])
    text = signer.string_to_sign(again, signer.canonical_request(again))
    return bool(signer.signature(text, again) == signed["signature"])


def _is_fresh(moment: str) -> bool:
    try:
        signed_at = datetime.strptime(moment, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
    except ValueError:
        return False
    return abs(datetime.now(UTC) - signed_at) < timedelta(seconds=SKEW_SECONDS)


def _has_token(request: Request, config: dict[str, Any]) -> bool:
    """Whether the bearer token is signed by the issuer, for the audience, and in its time."""
    kind, _, token = _header(request, "authorization").rpartition(" ")
    if kind.lower() not in ("bearer", ""):
        return False
    try:
        claims = jwt.decode(token, _keys(config["issuer"]), algorithms=["RS256"]).claims
        audience = {"essential": True, "values": config["audience"]}
        checks: Any = {"iss": {"essential": True, "value": config["issuer"]}, "aud": audience}
        jwt.JWTClaimsRegistry(**checks, exp={"essential": True}).validate(claims)
    except (JoseError, ValueError, KeyError, requests.RequestException):
        return False
    return True


def _keys(issuer: str) -> KeySet:
    """The issuer's public keys, found as OpenID Connect says."""
    base = issuer.rstrip("/")
    found = requests.get(f"{base}/.well-known/openid-configuration", timeout=DISCOVERY_SECONDS)
    keys = requests.get(found.json()["jwks_uri"], timeout=DISCOVERY_SECONDS).json()
    return KeySet.import_key_set(keys)
