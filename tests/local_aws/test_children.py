"""Processes of a killed server are found again; those of others are left alone."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from local_aws.children import Children


@pytest.fixture
def sleeper() -> Iterator[subprocess.Popen[bytes]]:
    """A process that would sleep for a minute."""
    process = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    yield process
    process.kill()
    process.wait()


def test_leftovers_are_ended(tmp_path: Path, sleeper: subprocess.Popen[bytes]) -> None:
    Children(tmp_path / "children.json").add(sleeper.pid)
    Children(tmp_path / "children.json").end_leftovers()
    assert not psutil.pid_exists(sleeper.pid)
    assert not (tmp_path / "children.json").exists()


def test_reused_numbers_are_left_alone(tmp_path: Path, sleeper: subprocess.Popen[bytes]) -> None:
    (tmp_path / "children.json").write_text(f"[[{sleeper.pid}, 1000.0]]")
    Children(tmp_path / "children.json").end_leftovers()
    assert sleeper.poll() is None


def test_ended_children_are_forgotten(tmp_path: Path, sleeper: subprocess.Popen[bytes]) -> None:
    children = Children(tmp_path / "children.json")
    children.add(sleeper.pid)
    children.discard(sleeper.pid)
    Children(tmp_path / "children.json").end_leftovers()
    assert sleeper.poll() is None
