"""How our own requests get past the authorizer of an API, if it has one.

With `iam` they are signed by the role in use, which needs execute-api:Invoke; with `jwt` they bear
the token that the environment variable API_TOKEN holds.
"""

import os

import boto3
import requests
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from requests.auth import AuthBase

from pipeline_steps.errors import ConfigurationError
from pipeline_steps.settings import Settings


class Signed(AuthBase):
    """Signs each request for API Gateway with the credentials in use."""

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        """Add the headers of the signature."""
        session = boto3.Session()
        headers = {"Content-Type": request.headers.get("Content-Type", "")}
        signed = AWSRequest(request.method, request.url, headers, request.body or b"")
        SigV4Auth(session.get_credentials(), "execute-api", session.region_name).add_auth(signed)
        request.headers.update(dict(signed.headers.items()))
        return request


class Bearer(AuthBase):
    """Sends a token with each request."""

    def __init__(self, token: str) -> None:
        self._token = token

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        """Add the token."""
        request.headers["Authorization"] = f"Bearer {self._token}"
        return request


def auth_for(settings: Settings) -> AuthBase | None:
    """What a request to the API of these settings needs.

    Raises:
        ConfigurationError: it needs a token, and there is none.
    """
    if settings.api.authorizer == "iam":
        return Signed()
    if settings.api.authorizer == "none":
        return None
    token = os.environ.get("API_TOKEN")
    if not token:
        raise ConfigurationError(
            "The API takes requests with a token only (authorizer = 'jwt'). Put one that "
            f"{settings.api.jwt_issuer} has issued into the environment variable API_TOKEN."
        )
    return Bearer(token)
