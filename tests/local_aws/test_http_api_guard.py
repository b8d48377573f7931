"""Before a function is asked: throttling, CORS, authorizers, and what the access log notes."""

import json
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler
from typing import Any

import pytest
import requests
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from botocore.exceptions import ClientError
from joserfc import jwt
from joserfc.jwk import KeySet, RSAKey

from local_aws.http_api_guard import TokenBucket
from local_aws.http_server import HOST, StoppableServer

ORIGIN = "https://example.com"


def api_of(kit: Any, url: str) -> str:
    apis = kit.client("apigatewayv2").get_apis()["Items"]
    return str(next(api["ApiId"] for api in apis if api["ApiEndpoint"] == url))


def guarded(kit: Any, name: str, *routes: str, **stage: Any) -> tuple[str, str]:
    """An API with settings of its stage: its URL and its id."""
    url = str(kit.create_api(name, kit.create_function(name, Timeout=10), *routes))
    if stage:
        kit.client("apigatewayv2").update_stage(
            ApiId=api_of(kit, url), StageName="$default", **stage
        )
    return url, api_of(kit, url)


def protect(kit: Any, api_id: str, **how: str) -> None:
    gateway = kit.client("apigatewayv2")
    (route,) = gateway.get_routes(ApiId=api_id)["Items"]
    gateway.update_route(ApiId=api_id, RouteId=route["RouteId"], **how)


def test_burst_passes_and_the_rest_is_throttled(kit: Any) -> None:
    limits = {"ThrottlingRateLimit": 0.5, "ThrottlingBurstLimit": 3}
    url, _ = guarded(kit, "throttled", "GET /", "GET /other", DefaultRouteSettings=limits)
    statuses = [requests.get(url, timeout=10).status_code for _ in range(5)]
    assert statuses == [200, 200, 200, 429, 429]
    answer = requests.get(url, timeout=10)
    assert answer.json() == {"message": "Too Many Requests"}
    assert answer.headers["Apigw-Requestid"]
    assert requests.get(f"{url}/other", timeout=10).ok  # each route has a bucket of its own


def test_bucket_fills_again(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [100.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    bucket = TokenBucket(rate=10, burst=2)
    assert [bucket.take() for _ in range(3)] == [True, True, False]
    now[0] += 0.125
    assert [bucket.take() for _ in range(2)] == [True, False]
    now[0] += 60
    assert [bucket.take() for _ in range(3)] == [True, True, False]


def test_only_listed_origins_may_read(kit: Any) -> None:
    url, api_id = guarded(kit, "cors", "POST /predict")
    cors = {"AllowOrigins": [ORIGIN], "AllowMethods": ["POST"], "ExposeHeaders": ["x-request-id"]}
    kit.client("apigatewayv2").update_api(ApiId=api_id, CorsConfiguration=cors)
    asking = {"Access-Control-Request-Method": "POST"}
    allowed = requests.options(f"{url}/predict", headers=asking | {"Origin": ORIGIN}, timeout=10)
    assert allowed.status_code == 204
    assert allowed.headers["Access-Control-Allow-Origin"] == ORIGIN
    assert allowed.headers["Access-Control-Allow-Methods"] == "POST"
    other = {"Origin": "https://evil.example.com"}
    refused = requests.options(f"{url}/predict", headers=asking | other, timeout=10)
    assert "Access-Control-Allow-Origin" not in refused.headers
    read = requests.post(f"{url}/predict", headers={"Origin": ORIGIN}, timeout=10)
    assert read.headers["Access-Control-Expose-Headers"] == "x-request-id"
    unread = requests.post(f"{url}/predict", headers=other, timeout=10)
    assert (unread.status_code, "Access-Control-Allow-Origin" in unread.headers) == (200, False)


def signed(url: str, secret: str, body: bytes) -> dict[str, str]:
    request = AWSRequest("POST", url, {"Content-Type": "application/json"}, body)
    SigV4Auth(Credentials("test", secret), "execute-api", "us-east-1").add_auth(request)
    return dict(request.headers.items())


def test_iam_takes_the_right_signature_only(kit: Any) -> None:
    url, api_id = guarded(kit, "iam", "POST /predict")
    protect(kit, api_id, AuthorizationType="AWS_IAM")
    url += "/predict"
    right = signed(url, "test", b"{}")
    assert requests.post(url, data=b"{}", headers=right, timeout=10).status_code == 200
    for headers, body in (
        ({}, b"{}"),
        (signed(url, "guessed", b"{}"), b"{}"),
        (right, b'{"another": "body"}'),
        (right | {"X-Amz-Date": "20200101T000000Z"}, b"{}"),
    ):
        answer = requests.post(url, data=body, headers=headers, timeout=10)
        assert (answer.status_code, answer.json()) == (403, {"message": "Forbidden"})


class _Issuer(BaseHTTPRequestHandler):
    """Tells its public key, as OpenID Connect says."""

    keys: Any

    def do_GET(self) -> None:
        base = f"http://{self.headers['Host']}"
        known = {"/.well-known/openid-configuration": {"jwks_uri": f"{base}/keys"}}
        payload = json.dumps(known.get(self.path, _Issuer.keys)).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(payload)))
        self.end_headers()
        self.wfile.write(payload)

    def log_message(self, *_: Any) -> None:
        """Keep the test's output quiet."""


@pytest.fixture
def issuer() -> Iterator[tuple[str, RSAKey]]:
    """An issuer's URL and its private key."""
    key = RSAKey.generate_key(2048, {"kid": "one"})
    _Issuer.keys = KeySet([key]).as_dict(private=False)
    server = StoppableServer((HOST, 0), _Issuer)
    server.start()
    yield f"http://{HOST}:{server.bound_port}", key
    server.stop()


def test_jwt_takes_tokens_of_its_issuer_only(kit: Any, issuer: tuple[str, RSAKey]) -> None:
    url, api_id = guarded(kit, "jwt", "POST /predict")
    base, key = issuer
    made = kit.client("apigatewayv2").create_authorizer(
        ApiId=api_id,
        Name="jwt",
        AuthorizerType="JWT",
        IdentitySource=["$request.header.Authorization"],
        JwtConfiguration={"Issuer": base, "Audience": ["t5"]},
    )
    protect(kit, api_id, AuthorizationType="JWT", AuthorizerId=made["AuthorizerId"])
    good = {"iss": base, "aud": "t5", "exp": int(time.time()) + 600}

    def status(claims: dict[str, Any], signer: RSAKey = key) -> int:
        token = jwt.encode({"alg": "RS256", "kid": "one"}, claims, signer)
        headers = {"Authorization": f"Bearer {token}"}
        return requests.post(f"{url}/predict", headers=headers, timeout=10).status_code

    assert status(good) == 200
    assert status(good | {"aud": "another"}) == 401
    assert status(good | {"exp": int(time.time()) - 600}) == 401
    assert status(good | {"iss": "https://another.example.com"}) == 401
    assert status(good, RSAKey.generate_key(2048, {"kid": "one"})) == 401
    answer = requests.post(f"{url}/predict", timeout=10)
    assert (answer.status_code, answer.json()) == (401, {"message": "Unauthorized"})
    assert answer.headers["WWW-Authenticate"] == "Bearer"
    with pytest.raises(ClientError, match="in use"):
        kit.client("apigatewayv2").delete_authorizer(
            ApiId=api_id, AuthorizerId=made["AuthorizerId"]
        )


def test_access_log_notes_the_route_and_no_text(kit: Any) -> None:
    logs = kit.client("logs")
    logs.create_log_group(logGroupName="access")
    settings = {
        "DestinationArn": "arn:aws:logs:us-east-1:123456789012:log-group:access",
        "Format": '{"route": "$context.routeKey", "status": "$context.status", "x": "$context.y"}',
    }
    url, _ = guarded(kit, "access", "POST /predict", AccessLogSettings=settings)
    requests.post(f"{url}/predict?q=secret", json={"inputs": "secret"}, timeout=10)
    requests.get(f"{url}/secret", timeout=10)
    events = logs.filter_log_events(logGroupName="access")["events"]
    assert [json.loads(event["message"]) for event in events] == [
        {"route": "POST /predict", "status": "200", "x": "-"},
        {"route": "-", "status": "404", "x": "-"},
    ]


def test_authorizer_must_be_one_that_is_known(kit: Any) -> None:
    _, api_id = guarded(kit, "unknown", "GET /")
    with pytest.raises(ClientError, match="of type JWT"):
        kit.client("apigatewayv2").create_authorizer(
            ApiId=api_id, Name="x", AuthorizerType="JWT", IdentitySource=["$request.header.X"]
        )
    with pytest.raises(ClientError, match="does not exist"):
        protect(kit, api_id, AuthorizationType="JWT", AuthorizerId="x")
