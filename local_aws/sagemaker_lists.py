"""SageMaker's lists of endpoints, configurations and models, filtered, sorted and paged as AWS's.

https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_ListEndpointConfigs.html
"""

import base64
import binascii
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from moto.core.responses import ActionResult
from moto.sagemaker.exceptions import ValidationError
from moto.sagemaker.models import SageMakerModelBackend
from moto.sagemaker.responses import SageMakerResponse

from local_aws.moto_patches import Patches

MAX_RESULTS = 100


@dataclass(frozen=True)
class Kind:
    """One of the lists: its name in the answer, what is in it, and how an item is shown."""

    answer: str
    items: Callable[[SageMakerModelBackend], Any]
    name: str
    summary: Callable[[Any], dict[str, Any]]


KINDS = {
    "list_endpoints": Kind(
        "Endpoints", lambda b: b.endpoints, "endpoint_name", lambda e: e.summary()
    ),
    "list_endpoint_configs": Kind(
        "EndpointConfigs",
        lambda b: b.endpoint_configs,
        "endpoint_config_name",
        lambda config: config.summary(),
    ),
    "list_models": Kind(
        "Models",
        lambda b: b._models,
        "model_name",
        lambda m: {"ModelName": m.model_name, "ModelArn": m.arn, "CreationTime": m.creation_time},
    ),
}


def _list(kind: Kind, self: SageMakerResponse) -> ActionResult:
    items = [
        item for item in kind.items(self.sagemaker_backend).values() if _fits(self, kind, item)
    ]
    key = _sort_key(self, kind)
    descending = self._get_param("SortOrder", "Descending") == "Descending"
    items.sort(key=key, reverse=descending)
    token = self._get_param("NextToken")
    if token:
        last = _decode(token)
        items = [i for i in items if (key(i) < last if descending else key(i) > last)]
    most = int(self._get_param("MaxResults") or 10)
    if not 1 <= most <= MAX_RESULTS:
        raise ValidationError(message=f"MaxResults is {most}, expected 1 to {MAX_RESULTS}")
    answer: dict[str, Any] = {kind.answer: [kind.summary(item) for item in items[:most]]}
    if len(items) > most:
        answer["NextToken"] = _encode(key(items[most - 1]))
    return ActionResult(answer)


def _fits(self: SageMakerResponse, kind: Kind, item: Any) -> bool:
    status = self._get_param("StatusEquals")
    before, after = self._get_param("CreationTimeBefore"), self._get_param("CreationTimeAfter")
    return (
        (self._get_param("NameContains") or "").lower() in getattr(item, kind.name).lower()
        and (not status or item.endpoint_status == status)
        and (not before or item.creation_time < _naive(before))
        and (not after or item.creation_time > _naive(after))
    )


def _naive(moment: datetime) -> datetime:
    return moment.astimezone(UTC).replace(tzinfo=None)  # as moto keeps its times


def _sort_key(self: SageMakerResponse, kind: Kind) -> Callable[[Any], tuple[str, str]]:
    by_name = self._get_param("SortBy", "CreationTime") == "Name"
    return lambda item: (
        "" if by_name else item.creation_time.isoformat(timespec="microseconds"),
        getattr(item, kind.name),
    )


def _encode(key: tuple[str, str]) -> str:
    return base64.urlsafe_b64encode("\n".join(key).encode()).decode()


def _decode(token: str) -> tuple[str, str]:
    try:
        moment, _, name = base64.urlsafe_b64decode(token).decode().partition("\n")
    except (binascii.Error, UnicodeDecodeError) as error:
        raise ValidationError(message=f"NextToken {token!r} is not one of a list.") from error
    return moment, name


def apply(patches: Patches) -> None:
    """Install the lists."""
    for name, kind in KINDS.items():

        def answer(self: SageMakerResponse, kind: Kind = kind) -> ActionResult:
            return _list(kind, self)

        patches.set(SageMakerResponse, name, answer)
