"""`model.tar.gz`: written the same way each time, and unpacked with suspicion."""

import gzip
import io
import tarfile
from collections.abc import Mapping
from pathlib import Path
from typing import BinaryIO

from pipeline_steps.errors import PackagingError


def write_tarball(folder: Path, path: Path, more: Mapping[str, bytes] | None = None) -> None:
    """Pack `folder`'s files and what is in `more` into `path`; the same files give the same bytes.

    Sorted names, no owners, no times: what a tarball's hash should not depend on is left out.
    """
    found = (file for file in folder.rglob("*") if file.is_file())
    members: dict[str, Path | bytes] = {
        **{file.relative_to(folder).as_posix(): file for file in found},
        **(more or {}),
    }
    with (
        path.open("wb") as raw,
        # Weights hardly compress: level 1 costs a tenth of the time of 9 for the same size.
        gzip.GzipFile(filename="", mode="wb", fileobj=raw, mtime=0, compresslevel=1) as compressed,
        tarfile.open(fileobj=compressed, mode="w", format=tarfile.PAX_FORMAT) as tar,
    ):
        for name, content in sorted(members.items()):
            if isinstance(content, bytes):
                _add(tar, name, len(content), io.BytesIO(content))
            else:
                with content.open("rb") as file:
                    _add(tar, name, content.stat().st_size, file)


def _add(tar: tarfile.TarFile, name: str, size: int, source: BinaryIO) -> None:
    member = tarfile.TarInfo(name)
    member.size, member.mode = size, 0o644
    tar.addfile(member, source)


def extract_tarball(path: Path, folder: Path) -> None:
    """Unpack `path` into `folder`.

    Raises:
        PackagingError: not a readable tarball, or a member that would land outside `folder`.
    """
    try:
        with tarfile.open(path, "r:gz") as tar:
            tar.extractall(folder, filter="data")
    except tarfile.FilterError as error:
        raise PackagingError(
            f"{path}: refused to unpack {error.tarinfo.name!r} ({error}). "
            "Every member must stay inside the folder; do not use this file."
        ) from error
    except (tarfile.TarError, EOFError, gzip.BadGzipFile) as error:
        raise PackagingError(
            f"{path}: not a whole .tar.gz ({error}). Make it again with "
            "`python -m pipeline_steps.package_model`."
        ) from error
