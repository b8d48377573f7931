"""Lint the workflows: GitHub's language service, zizmor, JSON schemas, shellcheck.

    python -m tests.workflows.lint [ROOT]

Each finding is an error. Exceptions are explained where they stand: beside the line, or in
`.github/zizmor.yml`.
"""

import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import yaml

from tests.workflows.running import HERE, HOOK, NODE, ROOT

BIN = Path(sys.executable).parent
TIMEOUT_SECONDS = 120
MADE = {"build", "node_modules"}  # folders that hold nothing of ours
BASH = {"", "bash", "sh"}  # '' is what a step has that names none: bash


def workflows(root: Path) -> list[str]:
    """The workflows of a repository, relative to it."""
    return sorted(str(file.relative_to(root)) for file in root.glob(".github/workflows/*.yml"))


def actions(root: Path) -> list[str]:
    """Its composite actions."""
    return sorted(str(file.relative_to(root)) for file in root.glob(".github/actions/*/action.yml"))


def language_service(root: Path) -> str:
    """What GitHub's editor would underline."""
    command = [NODE, "--import", str(HOOK), str(HERE / "language_service.js"), str(root)]
    return _findings([*command, *workflows(root), *actions(root)], root)


def zizmor(root: Path) -> str:
    """What an attacker could use; without strict collection it would skip an invalid file."""
    flags = ["--offline", "--strict-collection", "--quiet", "--no-progress", "--format", "plain"]
    return _findings([str(BIN / "zizmor"), *flags, ".github"], root)


def json_schemas(root: Path) -> str:
    """What the published schemas of workflows and actions refuse."""
    command = [str(BIN / "check-jsonschema"), "--builtin-schema"]
    found = _findings([*command, "vendor.github-workflows", *workflows(root)], root)
    if actions(root):
        found += _findings([*command, "vendor.github-actions", *actions(root)], root)
    return found


def shellcheck(root: Path) -> str:
    """What is wrong with the shell there is: scripts, and the `run:` blocks of the YAML."""
    try:
        blocks = list(_run_blocks(root))
    except yaml.YAMLError as error:
        return f"{error}\n"
    command = [str(BIN / "shellcheck"), "--shell", "bash", "--format", "gcc"]
    files = [root / ".ci" / "run", *root.glob("[!.]*/**/*.sh")]
    scripts = [str(file) for file in files if file.is_file() and not MADE & set(file.parts)]
    with tempfile.TemporaryDirectory() as folder:
        for number, (where, script) in enumerate(blocks):
            file = Path(folder, f"{number:03} {where.replace('/', ' ')}")
            file.write_text(script, encoding="utf-8")
            scripts.append(str(file))
        return _findings([*command, *scripts], root) if scripts else ""


def _run_blocks(root: Path) -> Iterator[tuple[str, str]]:
    """Each block of bash in workflows and actions, with a name for it."""
    for file in workflows(root) + actions(root):
        content = yaml.safe_load((root / file).read_text(encoding="utf-8"))
        for name, job in {"": content.get("runs", {}), **content.get("jobs", {})}.items():
            for number, step in enumerate(job.get("steps", []), start=1):
                if "run" in step and step.get("shell", "") in BASH:
                    yield f"{file} {name} step {number}", _with_options(step)


def _with_options(step: dict[str, Any]) -> str:
    # Both shells end at the first command that fails, so a `cd` needs no `|| exit`.
    return f"#!/bin/bash\nset -e\n{step['run']}"


LINTERS: list[Callable[[Path], str]] = [language_service, zizmor, json_schemas, shellcheck]


def _findings(command: list[str], root: Path) -> str:
    """What a linter says; nothing where it is content."""
    ended = subprocess.run(
        command, cwd=root, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        timeout=TIMEOUT_SECONDS, check=False,
    )  # fmt: skip
    if ended.returncode == 0:
        return ""
    return ended.stdout or f"{command[0]} ended with {ended.returncode} and said nothing.\n"


def main(root: Path) -> int:
    """Run all linters over a repository, side by side."""
    with ThreadPoolExecutor() as pool:
        found = dict(zip(LINTERS, pool.map(lambda linter: linter(root), LINTERS), strict=True))
    for linter, text in found.items():
        if text:
            print(f"{linter.__name__}:\n{text}", file=sys.stderr)
    return 1 if any(found.values()) else 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]).resolve() if sys.argv[1:] else ROOT))
