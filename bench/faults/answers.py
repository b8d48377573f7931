"""What AWS answers when it refuses, in each service's own protocol, for botocore to parse.

No answer names the call that it refuses: that a step's message does is then the step's own doing.
https://docs.aws.amazon.com/general/latest/gr/errors-api.html
"""

import io
import json
from typing import Any
from xml.sax.saxutils import escape

from botocore.awsrequest import AWSPreparedRequest, AWSResponse
from botocore.model import ServiceModel
from urllib3 import HTTPResponse

REQUEST_ID = "00000000-fa17-0000-0000-000000000000"
# Kind of refusal: what it says, then status and code as most services give them.
REFUSALS = {
    "throttled": ("Rate exceeded", 400, "ThrottlingException"),
    "5xx": ("An internal error has occurred.", 500, "InternalFailure"),
    "denied": ("User ci is not authorized to perform this action.", 400, "AccessDeniedException"),
}
# The services that use other codes, or tell by the status too.
DEVIATING = {
    ("throttled", "S3"): (503, "SlowDown"),
    ("throttled", "Lambda"): (429, "TooManyRequestsException"),
    ("throttled", "ApiGatewayV2"): (429, "TooManyRequestsException"),
    ("throttled", "SESv2"): (429, "TooManyRequestsException"),
    ("throttled", "STS"): (400, "Throttling"),
    ("5xx", "S3"): (500, "InternalError"),
    ("5xx", "Lambda"): (500, "ServiceException"),
    ("denied", "S3"): (403, "AccessDenied"),
    ("denied", "STS"): (403, "AccessDenied"),
    ("denied", "Lambda"): (403, "AccessDeniedException"),
    ("denied", "ApiGatewayV2"): (403, "AccessDeniedException"),
    ("denied", "SESv2"): (403, "AccessDeniedException"),
}


def refusal(kind: str, service: ServiceModel, request: AWSPreparedRequest) -> AWSResponse:
    """The answer of `service` to `request` for a kind of `REFUSALS`."""
    message, status, code = REFUSALS[kind]
    status, code = DEVIATING.get((kind, service.service_id), (status, code))
    return error(service, request, status, code, message)


def error(
    service: ServiceModel, request: AWSPreparedRequest, status: int, code: str, message: str
) -> AWSResponse:
    """An error as `service` words it: JSON or XML, the code in the body or in a header."""
    headers = {"x-amzn-RequestId": REQUEST_ID, "Date": "Thu, 01 Jan 2026 00:00:00 GMT"}
    protocol = service.resolved_protocol
    if protocol == "json":
        body = json.dumps({"__type": code, "message": message})
    elif protocol == "rest-json":
        headers["x-amzn-ErrorType"] = code
        body = json.dumps({"message": message})
    elif protocol in ("rest-xml", "query"):
        body = _xml(protocol, code, message)
    else:
        raise NotImplementedError(f"{service.service_name} speaks {protocol}, unknown here.")
    if request.method == "HEAD":
        body = ""  # HTTP allows none: the status is all that there is to learn
    raw: Any = HTTPResponse(body=io.BytesIO(body.encode()), status=status, preload_content=False)
    return AWSResponse(request.url, status, headers, raw)


def _xml(protocol: str, code: str, message: str) -> str:
    inner = f"<Code>{escape(code)}</Code><Message>{escape(message)}</Message>"
    if protocol == "rest-xml":
        return f"<Error>{inner}<RequestId>{REQUEST_ID}</RequestId></Error>"
    return (
        f"<ErrorResponse><Error>{inner}</Error><RequestId>{REQUEST_ID}</RequestId></ErrorResponse>"
    )
