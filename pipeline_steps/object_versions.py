"""The versions and delete markers of a bucket's objects, and their deletion page by page.

https://docs.aws.amazon.com/AmazonS3/latest/userguide/DeletingObjectVersions.html
"""

from collections.abc import Iterator
from typing import Any

from pipeline_steps.errors import PipelineError


def found(s3: Any, bucket: str, **which: str) -> Iterator[dict[str, Any]]:
    """All of them; `which` are further arguments of ListObjectVersions, such as Prefix."""
    for page in s3.get_paginator("list_object_versions").paginate(Bucket=bucket, **which):
        yield from _of(page)


def _of(page: dict[str, Any]) -> list[dict[str, Any]]:
    return [*page.get("Versions", []), *page.get("DeleteMarkers", [])]


def delete_all(
    s3: Any, bucket: str, kind: type[PipelineError], prefix: str = "", **owner: str
) -> None:
    """Delete every one below `prefix`, telling how far it is.

    Args:
        s3: boto3's client.
        bucket: its name.
        kind: of the error to raise.
        prefix: of the keys; "" for the whole bucket.
        owner: ExpectedBucketOwner, if it is to be checked.

    Raises:
        PipelineError: of the `kind`: something cannot be deleted.
    """
    deleted = 0
    # Always the first page: where a page begins that names what is deleted is not defined.
    while versions := _of(s3.list_object_versions(Bucket=bucket, Prefix=prefix, **owner)):
        keys = [{"Key": item["Key"], "VersionId": item["VersionId"]} for item in versions]
        answer = s3.delete_objects(Bucket=bucket, Delete={"Objects": keys, "Quiet": True}, **owner)
        for error in answer.get("Errors", []):
            raise kind(
                f"s3://{bucket}/{error['Key']} was not deleted: {error['Code']}: "
                f"{error['Message']} Mend the cause and run the same command again: it goes on."
            )
        deleted += len(keys)
        print(f"  s3://{bucket}/{prefix}: {deleted:,} versions deleted", flush=True)
