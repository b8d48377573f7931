"""What the workflows promise beyond what a linter asks for."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.conftest import REQUIRABLE
from tests.workflows.lint import actions, workflows
from tests.workflows.running import HERE, ROOT

WORKFLOWS = workflows(ROOT)
MOST_LINES = 5  # of a `run:` block; what needs more is a step of ours, with tests
TABLE = yaml.safe_load((HERE / "actions.yaml").read_text(encoding="utf-8"))


def read(file: str) -> dict[str, Any]:
    content: dict[str, Any] = yaml.safe_load((ROOT / file).read_text(encoding="utf-8"))
    return content


def steps_of(content: dict[str, Any]) -> list[dict[str, Any]]:
    owners = [*content.get("jobs", {}).values(), content.get("runs", {})]
    return [step for owner in owners for step in owner.get("steps", [])]


@pytest.mark.parametrize("file", WORKFLOWS)
def test_job_has_an_end_and_only_the_rights_that_it_names(file: str) -> None:
    content = read(file)
    assert content["permissions"] == {}
    for name, job in content["jobs"].items():
        assert "uses" in job or "timeout-minutes" in job, name


@pytest.mark.parametrize("file", WORKFLOWS)
def test_each_right_has_a_reason(file: str) -> None:
    for line in (ROOT / file).read_text(encoding="utf-8").splitlines():
        if re.match(r"\s+[a-z-]+: (read|write)\b", line):
            assert " # to " in line, line


@pytest.mark.parametrize("file", WORKFLOWS + actions(ROOT))
def test_run_blocks_are_short(file: str) -> None:
    for step in steps_of(read(file)):
        commands = [line for line in step.get("run", "").splitlines() if not line.startswith("#")]
        assert len(commands) <= MOST_LINES, commands


@pytest.mark.parametrize("file", WORKFLOWS + actions(ROOT))
def test_comment_beside_a_pin_names_its_version(file: str) -> None:
    text = (ROOT / file).read_text(encoding="utf-8")
    for name, version in re.findall(r"uses: ([^./@\s][^@\s]*)@[0-9a-f]{40}(.*)", text):
        assert version.strip() == f"# {TABLE[name]['version']}", name


@pytest.mark.parametrize("file", WORKFLOWS)
def test_token_is_not_left_in_the_checkout(file: str) -> None:
    for step in steps_of(read(file)):
        if str(step.get("uses", "")).startswith("actions/checkout@"):
            assert step["with"]["persist-credentials"] is False


def test_ci_skips_no_test_for_want_of_what_its_runner_has() -> None:
    check = read(".github/workflows/ci.yml")["jobs"]["check"]
    (arguments,) = (
        each["arguments"]
        for each in check["strategy"]["matrix"]["include"]
        if each["target"] == "test"
    )
    # The real data is beside no checkout there.
    assert set(arguments.split()) == {f"--require-{name}" for name in REQUIRABLE} - {
        "--require-shared"
    }


def test_table_lists_only_what_is_stood_in_for() -> None:
    for name, action in TABLE.items():
        assert Path(HERE, "executor", "stand_ins", f"{action['stand_in']}.js").is_file(), name
