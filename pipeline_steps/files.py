"""Files that are whole or not there, and what they are known by: their SHA-256."""

import hashlib
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any


def write_atomically(path: Path, write: Callable[[Path], object]) -> None:
    """Let `write` make a temporary file beside `path`, then rename it; a failure leaves nothing."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.tmp")
    try:
        write(temporary)
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def write_folder_atomically(folder: Path, write: Callable[[Path], object]) -> None:
    """Let `write` fill a temporary folder beside `folder`, then put it in `folder`'s place."""
    temporary, old = (folder.with_name(f".{folder.name}.{suffix}") for suffix in ("tmp", "old"))

    def clean_up() -> None:
        # Ended between the two renames, by a signal or a kill: what was there goes back.
        if old.exists() and not folder.exists():
            old.rename(folder)
        shutil.rmtree(temporary, ignore_errors=True)
        shutil.rmtree(old, ignore_errors=True)

    clean_up()
    temporary.mkdir(parents=True)
    try:
        write(temporary)
        if folder.exists():
            folder.rename(old)
        temporary.rename(folder)
    finally:
        clean_up()


def copy_files(source: Path, folder: Path) -> None:
    """Copy a folder's files into another; a full disk is told as such, as copytree does not."""
    folder.mkdir(parents=True, exist_ok=True)
    for path in source.iterdir():
        shutil.copyfile(path, folder / path.name)


def file_hashes(folder: Path) -> dict[str, str]:
    """SHA-256 of every file below `folder`, by its path relative to it."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): file_hash(path) for path in files}


def file_hash(path: Path) -> str:
    """SHA-256 of a file, in hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def hash_of(value: Any) -> str:
    """SHA-256 of a JSON value, whatever the order of its keys."""
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()
