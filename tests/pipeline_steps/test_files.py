"""Files that are whole or not there, through failures and kills; and their hashes."""

import errno
from pathlib import Path

import pytest

from pipeline_steps.files import file_hashes, hash_of, write_atomically, write_folder_atomically


def test_failed_write_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_text("old", encoding="utf-8")

    def fail(temporary: Path) -> None:
        temporary.write_text("half", encoding="utf-8")
        raise OSError(errno.ENOSPC, "No space left on device")

    with pytest.raises(OSError, match="No space left"):
        write_atomically(path, fail)
    assert path.read_text(encoding="utf-8") == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_folder_is_replaced_whole_or_not(tmp_path: Path) -> None:
    folder = tmp_path / "checkpoint"

    def write(name: str) -> None:
        write_folder_atomically(
            folder, lambda path: (path / name).write_text("x", encoding="utf-8")
        )

    write("first")
    write("second")
    assert list(file_hashes(folder)) == ["second"]

    def fail(path: Path) -> None:
        (path / "half").touch()
        raise OSError(errno.ENOSPC, "No space left on device")

    with pytest.raises(OSError, match="No space left"):
        write_folder_atomically(folder, fail)
    assert list(file_hashes(folder)) == ["second"]
    assert list(tmp_path.iterdir()) == [folder]


def test_kill_between_the_renames_loses_nothing(tmp_path: Path) -> None:
    # GIVEN what a kill between the two renames leaves
    folder = tmp_path / "checkpoint"
    (tmp_path / ".checkpoint.old").mkdir()
    (tmp_path / ".checkpoint.old" / "first").touch()
    (tmp_path / ".checkpoint.tmp").mkdir()

    def fail(path: Path) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    # WHEN the next attempt fails as well THEN the old folder is back in its place
    with pytest.raises(OSError, match="No space left"):
        write_folder_atomically(folder, fail)
    assert list(file_hashes(folder)) == ["first"]
    assert list(tmp_path.iterdir()) == [folder]


def test_hash_ignores_the_order_of_keys() -> None:
    assert hash_of({"a": 1, "b": [2]}) == hash_of({"b": [2], "a": 1})
    assert hash_of({"a": 1, "b": [2]}) != hash_of({"a": 1, "b": [3]})
