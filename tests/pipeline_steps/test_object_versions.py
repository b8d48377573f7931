"""Every version below a prefix goes, page by page, and nothing beside it."""

from typing import Any

import pytest

from local_aws.server import BUCKET, LocalAws
from pipeline_steps import object_versions
from pipeline_steps.errors import DeployError

OWNER = {"ExpectedBucketOwner": "123456789012"}


@pytest.fixture
def s3(aws: LocalAws) -> Any:
    """A bucket with versions and delete markers below `a/`, and one object beside it."""
    client = aws.client("s3")
    for number in range(5):
        for body in (b"old", b"new"):
            client.put_object(Bucket=BUCKET, Key=f"a/{number}", Body=body)
        client.delete_object(Bucket=BUCKET, Key=f"a/{number}")
    client.put_object(Bucket=BUCKET, Key="b", Body=b"")
    return client


def keys(s3: Any, **which: str) -> list[str]:
    return [item["Key"] for item in object_versions.found(s3, BUCKET, **which)]


def test_all_versions_go_by_pages(s3: Any, capsys: pytest.CaptureFixture[str]) -> None:
    assert len(keys(s3, Prefix="a/")) == 15
    # AWS's pages have a thousand entries.
    s3.meta.events.register(
        "provide-client-params.s3.ListObjectVersions",
        lambda params, **_: {"MaxKeys": 4, **params},
    )
    object_versions.delete_all(s3, BUCKET, DeployError, prefix="a/", **OWNER)
    assert keys(s3) == ["b"]
    assert f"  s3://{BUCKET}/a/: 15 versions deleted\n" in capsys.readouterr().out
    object_versions.delete_all(s3, BUCKET, DeployError)
    assert keys(s3) == []


def test_refused_deletion_names_the_object(s3: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    refused = {"Key": "a/0", "Code": "AccessDenied", "Message": "It is locked."}
    monkeypatch.setattr(s3, "delete_objects", lambda **_: {"Errors": [refused]})
    with pytest.raises(DeployError, match=rf"s3://{BUCKET}/a/0 .*AccessDenied: It is locked\."):
        object_versions.delete_all(s3, BUCKET, DeployError, prefix="a/")
