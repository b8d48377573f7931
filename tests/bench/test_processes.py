"""The processes that a benchmark counts, and their memory."""

import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path

import psutil
import pytest

from bench.processes import bytes_of, group_of
from bench.serving_models import installed_bytes, with_dependencies

ORPHANED = """
import subprocess, sys
child = subprocess.Popen([sys.executable, "-c", "import sys; sys.stdin.read()"])
print(child.pid, flush=True)
"""


def test_group_holds_those_whose_parents_have_ended() -> None:
    with subprocess.Popen(
        [sys.executable, "-c", ORPHANED],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, start_new_session=True,
    ) as parent:  # fmt: skip
        assert parent.stdout
        child = int(parent.stdout.readline())
        parent.wait(30)
        assert child in group_of(parent.pid)
        assert parent.stdin
        parent.stdin.close()  # which ends the child


MAPPED = """
import mmap, sys
file = open(sys.argv[1], "rb")
mapped = mmap.mmap(file.fileno(), 0, prot=mmap.PROT_READ)
read = sum(mapped[place] for place in range(0, len(mapped), mmap.PAGESIZE))
print("ready", flush=True)
sys.stdin.read()
"""


@pytest.mark.skipif(not hasattr(psutil.Process, "memory_maps"), reason="macOS tells less")
def test_shared_memory_counts_once_whoever_else_has_it(tmp_path: Path) -> None:
    # GIVEN three processes that have 64 MiB in common
    (tmp_path / "file").write_bytes(b"x" * 64 * 2**20)
    command = [sys.executable, "-c", MAPPED, str(tmp_path / "file")]
    with ExitStack() as stack:
        started = [
            stack.enter_context(
                subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
            )
            for _ in range(3)
        ]
        for process in started:
            assert process.stdout
            assert process.stdout.readline() == b"ready\n"
        one, two = (bytes_of([each.pid for each in started[:count]]) for count in (1, 2))
        for process in started:
            process.kill()
    # THEN one of them has them whole, and two have them once
    assert one > 64 * 2**20
    assert two - one < 32 * 2**20


def test_packages_are_counted_with_what_they_need_or_without() -> None:
    needed = with_dependencies(["tokenizers"])
    assert {"tokenizers", "huggingface-hub"} <= needed
    assert 0 < installed_bytes(["tokenizers"]) < installed_bytes(needed)
