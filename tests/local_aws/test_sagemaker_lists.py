"""The local SageMaker lists as AWS does: newest first, by a part of the name, in pages."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from botocore.exceptions import ClientError

NAMES = [f"listed-{letter}" for letter in "edcba"]  # in the order of their making


@pytest.fixture(scope="module")
def listed(kit: Any) -> None:
    """Five models, configurations and endpoints that share a part of their name; one that not."""
    kit.release("other")
    url = kit.upload_model("listed")
    for name in NAMES:
        kit.create_model(name, url)
        kit.create_config(name)
        kit.client("sagemaker").create_endpoint(EndpointName=name, EndpointConfigName=name)
    for name in NAMES:
        kit.endpoint_when(name, "InService")


@pytest.fixture(params=["Model", "EndpointConfig", "Endpoint"])
def kind(request: pytest.FixtureRequest, listed: None) -> str:
    """Each of the kinds that are listed."""
    return str(request.param)


def listing(kit: Any, kind: str, **arguments: Any) -> list[str]:
    """The names on all pages of a list."""
    operation = {"Model": "list_models", "EndpointConfig": "list_endpoint_configs"}
    pages = (
        kit.client("sagemaker")
        .get_paginator(operation.get(kind, "list_endpoints"))
        .paginate(NameContains="listed", **arguments)
    )
    return [item[f"{kind}Name"] for page in pages for item in page[f"{kind}s"]]


def test_newest_come_first(kit: Any, kind: str) -> None:
    assert listing(kit, kind) == NAMES[::-1]
    assert listing(kit, kind, SortBy="CreationTime", SortOrder="Ascending") == NAMES
    assert listing(kit, kind, SortBy="Name", SortOrder="Ascending") == sorted(NAMES)


def test_pages_are_complete(kit: Any, kind: str) -> None:
    assert listing(kit, kind, PaginationConfig={"PageSize": 2}) == NAMES[::-1]


def test_creation_time_is_told(kit: Any, kind: str) -> None:
    tomorrow = datetime.now(UTC) + timedelta(days=1)
    assert listing(kit, kind, CreationTimeBefore=tomorrow) == NAMES[::-1]
    assert listing(kit, kind, CreationTimeAfter=tomorrow) == []


def test_status_is_filtered(kit: Any, listed: None) -> None:
    assert listing(kit, "Endpoint", StatusEquals="InService") == NAMES[::-1]
    assert listing(kit, "Endpoint", StatusEquals="Failed") == []


def test_page_survives_a_deletion(kit: Any) -> None:
    sagemaker = kit.client("sagemaker")
    url = kit.upload_model("paged")
    for name in ("paged-1", "paged-2", "paged-3"):
        kit.create_model(name, url)
    first = sagemaker.list_models(NameContains="paged", MaxResults=1)
    for name in ("paged-3", "paged-2"):
        sagemaker.delete_model(ModelName=name)
    rest = sagemaker.list_models(NameContains="paged", NextToken=first["NextToken"])
    assert [model["ModelName"] for model in rest["Models"]] == ["paged-1"]


def test_foreign_token_is_refused(kit: Any) -> None:
    with pytest.raises(ClientError, match="is not one of a list"):
        kit.client("sagemaker").list_models(NextToken="made-up-by-hand")
