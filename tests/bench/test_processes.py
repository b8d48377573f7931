"""The processes that a benchmark counts."""

import subprocess
import sys

from bench.processes import group_of

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
