"""A training job's checkpoint folder, copied to S3 while the job runs, and back before it starts.

As on SageMaker, what the job deletes stays in S3, and files are copied one by one: a job that goes
on may find some of what was written together and not the rest.
https://docs.aws.amazon.com/sagemaker/latest/dg/model-checkpoints.html
"""

import threading
from pathlib import Path
from types import TracebackType
from typing import Any

from moto.s3.models import s3_backends

SECONDS = 0.2  # between two looks at the folder
Job = Any  # moto's FakeTrainingJob


class CheckpointSync:
    """Copies the folder while it is entered; nothing for a job without a `CheckpointConfig`."""

    def __init__(self, account_id: str, job: Job, folder: Path, gate: threading.RLock) -> None:
        url = (job.checkpoint_config or {}).get("S3Uri", "")
        self._bucket, _, self._prefix = url.removeprefix("s3://").partition("/")
        self._backend = s3_backends[account_id]["aws"]
        self._folder, self._gate = folder, gate
        self._copied: dict[Path, tuple[int, int]] = {}
        self._leaving = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="checkpoints")

    def __enter__(self) -> "CheckpointSync":
        self._folder.mkdir()
        if self._bucket:
            self._restore()
            self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None
    ) -> None:
        self._leaving.set()
        if self._thread.ident:
            self._thread.join()

    def _restore(self) -> None:
        with self._gate:
            keys = self._backend.get_bucket(self._bucket).keys
            found = {name: key for name, key in keys.items() if name.startswith(self._prefix + "/")}
            for name, key in found.items():
                path = self._folder / name.removeprefix(self._prefix + "/")
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(key.value)

    def _watch(self) -> None:
        while not self._leaving.wait(SECONDS):
            self._copy()

    def _copy(self) -> None:
        for path in sorted(self._folder.rglob("*")):
            try:
                state = path.stat()
                seen = state.st_mtime_ns, state.st_size
                if not path.is_file() or self._copied.get(path) == seen:
                    continue
                content = path.read_bytes()
            except FileNotFoundError:
                continue  # the job has renamed or deleted it since it was listed
            key = f"{self._prefix}/{path.relative_to(self._folder)}"
            with self._gate:
                self._backend.put_object(self._bucket, key, content)
            self._copied[path] = seen
