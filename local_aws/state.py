"""What survives a restart: a snapshot of moto's backends, with S3's bodies beside it.

<state>/state.pickle     a line of JSON (versions), then the pickled backends
<state>/objects/<sha256> each S3 body once; large ones are read in place, never copied
"""

import hashlib
import io
import json
import logging
import os
import pickle
import platform
import tempfile
import threading
import time
import weakref
from pathlib import Path
from typing import Any

import moto
from moto.awslambda_simple.models import lambda_simple_backends
from moto.backends import get_backend
from moto.core.base_backend import BackendDict
from moto.s3.models import FakeKey, s3_backends
from moto.s3.utils import _VersionedKeyStore

SERVICES = (
    *("s3", "iam", "sts", "sagemaker", "apigatewayv2", "ses", "sesv2"),
    *("logs", "cloudwatch", "sns", "ecr", "budgets", "cloudformation"),
    "application-autoscaling",
)
VERSIONS = {"format": 1, "moto": moto.__version__, "python": platform.python_version()}
IN_MEMORY_BYTES = 64 * 1024  # larger bodies stay on disk
QUIET_SECONDS = 0.2  # requests that follow one another so closely share a snapshot
LOCKS = (type(threading.Lock()), type(threading.RLock()))
log = logging.getLogger("local_aws")


def stores() -> dict[str, BackendDict[Any]]:
    """moto's stores of the services that are kept, by name."""
    find: Any = get_backend
    return {name: find(name) for name in SERVICES} | {"lambda": lambda_simple_backends}


def _blank_key() -> Any:
    return FakeKey.__new__(FakeKey)


def _fill_key(key: FakeKey, attributes: dict[str, Any]) -> None:
    key.__dict__.update(attributes, lock=threading.Lock())


def _fill_versions(keys: _VersionedKeyStore, versions: dict[str, list[Any]]) -> None:
    dict.update(keys, versions)


class _Writer(pickle.Pickler):
    """Pickles backends; bodies of S3 objects go to files named by their hash."""

    def __init__(self, file: io.BytesIO, bodies: "_Bodies") -> None:
        super().__init__(file, protocol=5)
        self._bodies = bodies
        self.used: set[str] = set()

    def persistent_id(self, value: Any) -> str | None:
        """The hash that stands for a body; None for all else."""
        if not isinstance(value, tempfile.SpooledTemporaryFile | io.BufferedReader):
            return None
        digest = self._bodies.write(value)
        self.used.add(digest)
        return digest

    def reducer_override(self, value: Any) -> Any:
        """How to pickle what moto's classes hold and pickle cannot."""
        if isinstance(value, FakeKey) and not value.disposed:
            attributes = {name: item for name, item in vars(value).items() if name != "lock"}
            return _blank_key, (), attributes, None, None, _fill_key
        if isinstance(value, _VersionedKeyStore):
            # Its own items() would give the newest version of each key only.
            versions = dict(value.lists())
            return _VersionedKeyStore, (), versions, None, None, _fill_versions
        if isinstance(value, weakref.WeakValueDictionary):
            return weakref.WeakValueDictionary, (dict(value),)
        if isinstance(value, LOCKS):
            return (threading.Lock if isinstance(value, LOCKS[0]) else threading.RLock), ()
        if getattr(value, "__qualname__", "").startswith("LambdaStorage.__init__.<locals>"):
            return type, ({},)  # moto writes `defaultdict(lambda: {})` where `dict` is meant
        return NotImplemented


class _Reader(pickle.Unpickler):
    def __init__(self, file: io.BufferedReader, bodies: "_Bodies") -> None:
        super().__init__(file)
        self._bodies = bodies

    def persistent_load(self, digest: str) -> Any:
        """The body that was written under `digest`."""
        return self._bodies.read(digest)


class _Bodies:
    """The folder of S3 bodies; moto writes each buffer once, so a hash is computed once."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._digests: weakref.WeakKeyDictionary[Any, str] = weakref.WeakKeyDictionary()

    def write(self, buffer: Any) -> str:
        digest = self._digests.get(buffer)
        if digest is None:
            buffer.seek(0)
            body = buffer.read()
            digest = hashlib.sha256(body).hexdigest()
            path = self.folder / digest
            if not path.exists():
                temporary = path.with_suffix(".part")
                temporary.write_bytes(body)
                temporary.replace(path)
            self._digests[buffer] = digest
        return digest

    def read(self, digest: str) -> Any:
        path = self.folder / digest
        if path.stat().st_size > IN_MEMORY_BYTES:
            buffer: Any = path.open("rb")
        else:
            buffer = tempfile.SpooledTemporaryFile(IN_MEMORY_BYTES)  # noqa: SIM115 - moto closes it
            buffer.write(path.read_bytes())
        self._digests[buffer] = digest
        return buffer

    def keep_only(self, used: set[str]) -> None:
        for path in self.folder.iterdir():
            if path.name not in used:
                path.unlink()


class StateStore:
    """Keeps the backends on disk: at most about a second behind, whole at any moment."""

    def __init__(self, folder: Path, gate: threading.RLock) -> None:
        self.folder = folder
        self.extras: dict[str, Any] = {}  # small facts of our own that are kept along
        self._path = folder / "state.pickle"
        self._bodies = _Bodies(folder / "objects")
        self._gate = gate
        self._dirty, self._closing = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=self._keep_saving, name="snapshots")

    def restore(self) -> None:
        """Load the snapshot; one that is of another version or damaged is set aside."""
        self._bodies.folder.mkdir(parents=True, exist_ok=True)
        try:
            with self._path.open("rb") as file:
                versions = json.loads(file.readline())
                if versions != VERSIONS:
                    raise ValueError(f"it was written by {versions}, this is {VERSIONS}")
                snapshot = _Reader(file, self._bodies).load()
        except FileNotFoundError:
            return
        except Exception as error:  # noqa: BLE001 - a damaged pickle may raise anything
            self._set_aside(error)
            return
        known = stores()
        for service, account, region, backend in snapshot["backends"]:
            known[service][account][region] = backend
        s3_backends.bucket_accounts.update(snapshot["bucket_accounts"])
        self.extras = snapshot["extras"]

    def _set_aside(self, error: Exception) -> None:
        aside = self.folder / f"set-aside-{time.strftime('%Y%m%d-%H%M%S')}-{os.getpid()}"
        aside.mkdir()
        self._path.rename(aside / self._path.name)
        self._bodies.folder.rename(aside / self._bodies.folder.name)
        self._bodies.folder.mkdir()
        log.warning(
            "The saved state cannot be used: %s. It is in %s; starting fresh.", error, aside
        )

    def start(self) -> None:
        """Save in the background from now on."""
        self._thread.start()

    def changed(self) -> None:
        """Say that something changed; a snapshot follows shortly."""
        self._dirty.set()

    def _keep_saving(self) -> None:
        while True:
            self._dirty.wait()
            if self._closing.wait(QUIET_SECONDS):
                return
            self._dirty.clear()
            if self._closing.is_set():  # since the wait ended: its `_dirty` may just be cleared
                return
            try:
                self.save()
            except Exception:  # the server answers on, and the next change tries again
                log.exception("The state could not be saved.")

    def save(self) -> None:
        """Write a snapshot; nobody ever sees a half-written one."""
        buffer = io.BytesIO()
        writer = _Writer(buffer, self._bodies)
        with self._gate:
            backends = [
                (service, account, region, backend)
                for service, store in stores().items()
                for account, region, backend in store.iter_backends()
            ]
            writer.dump(
                {
                    "backends": backends,
                    "bucket_accounts": dict(s3_backends.bucket_accounts),
                    "extras": self.extras,
                }
            )
        temporary = self._path.with_suffix(".part")
        temporary.write_bytes(json.dumps(VERSIONS).encode() + b"\n" + buffer.getbuffer())
        temporary.replace(self._path)
        self._bodies.keep_only(writer.used)

    def close(self) -> None:
        """Save a last time and end the thread."""
        self._closing.set()
        self._dirty.set()
        self._thread.join()
        self.save()
