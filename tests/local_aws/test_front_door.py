"""S3 looks at who owns the bucket, where a request says whose it should be."""

from typing import Any

import pytest
from botocore.exceptions import ClientError

from local_aws.server import BUCKET

OURS, FOREIGN = "123456789012", "999999999999"


def calls(s3: Any, owner: str) -> dict[str, Any]:
    """Ways to reach the bucket while naming its owner."""
    return {
        "put": lambda: s3.put_object(
            Bucket=BUCKET, Key="owned", Body=b"x" * 100_000, ExpectedBucketOwner=owner
        ),
        "get": lambda: s3.get_object(Bucket=BUCKET, Key="owned", ExpectedBucketOwner=owner),
        "head": lambda: s3.head_object(Bucket=BUCKET, Key="owned", ExpectedBucketOwner=owner),
        "list": lambda: s3.list_objects_v2(Bucket=BUCKET, ExpectedBucketOwner=owner),
    }


@pytest.mark.parametrize("call", ["put", "get", "head", "list"])
def test_foreign_bucket_is_refused(kit: Any, call: str) -> None:
    s3 = kit.client("s3")
    calls(s3, OURS)["put"]()
    calls(s3, OURS)[call]()
    with pytest.raises(ClientError) as refusal:
        calls(s3, FOREIGN)[call]()
    assert refusal.value.response["ResponseMetadata"]["HTTPStatusCode"] == 403
    # The answer to a HEAD has no body to name the error in.
    assert refusal.value.response["Error"]["Code"] == ("403" if call == "head" else "AccessDenied")
    assert calls(s3, OURS)["get"]()["Body"].read() == b"x" * 100_000
