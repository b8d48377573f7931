"""The commands for GitHub, run by bash with a gh that keeps what it is told."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from pipeline_steps.github_commands import commands

BASH = shutil.which("bash") or "bash"
# As much of GitHub's gh as the commands need: environments are files, their branches lines in them.
GH = """
path=; method=GET
for word in "$@"; do
  case $word in
    PUT | POST) method=$word ;;
    repos/*) path=$word ;;
    name=*) name=${word#name=} ;;
  esac
done
environment=$FAKE_GITHUB/$(basename "${path%/deployment-branch-policies}")
echo "$*" >> "$FAKE_GITHUB/log"
case "$method $path" in
  PUT*) : > "$environment" ;;
  POST*) echo "$name" >> "$environment" ;;
  *-policies) cat "$environment" ;;
  *) test -f "$environment" ;;
esac
"""


def test_pasted_again_protection_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = "\n".join(commands({}, "octo-org@12/octo-repo@34"))
    gh = tmp_path / "gh"
    gh.write_text(f"#!/usr/bin/env bash\nset -euo pipefail{GH}")
    gh.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    monkeypatch.setenv("FAKE_GITHUB", str(tmp_path))
    for _ in range(2):
        subprocess.run([BASH, "-euc", made], check=True, timeout=60)
    # THEN each environment was made once, and is for one branch
    asked = (tmp_path / "log").read_text()
    for environment in ("staging", "production", "monitor"):
        path = f"repos/octo-org/octo-repo/environments/{environment}"
        assert asked.count(f"--method PUT {path} ") == 1
        assert (tmp_path / environment).read_text() == "main\n"
    assert asked.count("deployment_branch_policy[custom_branch_policies]=true") == 3
