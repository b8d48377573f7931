"""Each `curl` line of the README and of docs/api.md works as it is printed."""

import re
import subprocess
from pathlib import Path

import pytest

from tests.api.conftest import LiveApi

ROOT = Path(__file__).parents[2]
PRINTED = "http://127.0.0.1:8000"
LINES = [
    pytest.param(line, id=f"{page}-{number}")
    for page in ("README.md", "docs/api.md")
    for number, line in enumerate(
        re.findall(r"^ *(curl .*)$", (ROOT / page).read_text(encoding="utf-8"), re.MULTILINE)
    )
]


def test_both_pages_have_some() -> None:
    assert {str(line.id).partition("-")[0] for line in LINES} == {"README.md", "docs/api.md"}


@pytest.mark.parametrize("line", LINES)
def test_no_shell_takes_a_part_for_a_pattern(line: str) -> None:
    # zsh, the shell of macOS, ends a command whose pattern matches nothing.
    assert not set("?*[") & set(re.sub(r"'[^']*'", "", line))


@pytest.mark.parametrize("line", LINES)
def test_printed_line_is_answered(live: LiveApi, line: str) -> None:
    assert PRINTED in line
    run = subprocess.run(
        ["/bin/bash", "-c", line.replace(PRINTED, live.url).replace("curl ", "curl --fail ", 1)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert run.returncode == 0, run.stderr
    assert run.stdout
