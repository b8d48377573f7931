"""The bucket of models: ours, by its owner, and what lies in it is written once."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from boto3.exceptions import Boto3Error
from botocore.exceptions import ClientError

from pipeline_steps.aws import Clients, create, exists_already, find
from pipeline_steps.errors import PipelineError
from pipeline_steps.settings import Settings

DENIED_CODES = ("AccessDenied", "403")  # a HEAD request is answered without a body


class ModelBucket:
    """What the steps do with the bucket; each call names the account that it must belong to.

    Raises:
        ConfigurationError: no bucket is set.
    """

    def __init__(self, settings: Settings, clients: Clients) -> None:
        self.name = settings.require("deploy", "bucket")
        self._s3 = clients.s3
        # A bucket of that name in another account must not get our model.
        self._owner = {"ExpectedBucketOwner": clients.sts.get_caller_identity()["Account"]}

    def url(self, key: str) -> str:
        """Where an object lies."""
        return f"s3://{self.name}/{key}"

    def has(self, key: str) -> bool:
        """Whether there is such an object."""
        return find(self._s3.head_object, Bucket=self.name, Key=key, **self._owner) is not None

    def read(self, key: str) -> bytes | None:
        """A small object, whole; None where there is none."""
        found = find(self._s3.get_object, Bucket=self.name, Key=key, **self._owner)
        return None if found is None else bytes(found["Body"].read())

    def download(self, key: str, path: Path) -> bool:
        """Fetch an object into a file; gives whether there is one."""
        arguments = {"Bucket": self.name, "Key": key, "Filename": str(path)}
        return find(self._download, **arguments) is not None

    def _download(self, **arguments: str) -> dict[str, Any]:
        self._s3.download_file(**arguments, ExtraArgs=self._owner)
        return arguments

    def write_once(self, key: str, body: bytes) -> None:
        """Write a small object unless it is there."""
        arguments = {"Bucket": self.name, "Key": key, "Body": body, **self._owner}
        create(self._s3.put_object, **arguments, ChecksumAlgorithm="SHA256", IfNoneMatch="*")

    def upload_once(self, key: str, path: Path) -> None:
        """Upload a file unless it is there: its key holds its hash."""
        if not self.has(key):
            self._upload(key, path)

    def _upload(self, key: str, path: Path) -> None:
        """Upload in parts, with checksums, what must never be overwritten."""

        def once(params: dict[str, Any], **_: Any) -> None:
            params["IfNoneMatch"] = "*"  # upload_file has no argument for it

        events = [
            f"provide-client-params.s3.{name}" for name in ("PutObject", "CompleteMultipartUpload")
        ]
        for event in events:
            self._s3.meta.events.register(event, once)
        try:
            extra = {"ChecksumAlgorithm": "SHA256", **self._owner}
            self._s3.upload_file(str(path), self.name, key, ExtraArgs=extra)
        except Boto3Error as error:
            # Whose error it is stands behind boto3's own.
            refused = error.__context__
            if not isinstance(refused, ClientError):
                raise
            if not exists_already(refused):
                raise refused from error
        finally:
            for event in events:
                self._s3.meta.events.unregister(event, once)

    @contextmanager
    def refusals(self, kind: type[PipelineError]) -> Iterator[None]:
        """Turn a 403 inside the block into a `kind` that says what it can mean."""
        try:
            yield
        except ClientError as error:
            if error.response["Error"]["Code"] not in DENIED_CODES:
                raise
            raise kind(
                f"The bucket {self.name!r} refuses {error.operation_name} (403). Either it belongs "
                f"to another account than {self._owner['ExpectedBucketOwner']}, or the role in use "
                "may not read and write it. Set MODEL_BUCKET to the bucket that `make bootstrap` "
                "made."
            ) from error
