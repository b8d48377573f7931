"""Each linter finds what it is there for; that ours are silent is what `make lint` shows."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.workflows import lint

GOOD = """\
name: Good
on:
  push:
    branches: [main]
  workflow_dispatch:
    inputs:
      word: {type: string, required: true, description: What to say}
permissions: {}
concurrency:
  group: good
  cancel-in-progress: true
jobs:
  build:
    name: Build
    runs-on: ubuntu-24.04
    outputs:
      word: ${{ steps.say.outputs.word }}
    steps:
      - uses: actions/checkout@3d3c42e5aac5ba805825da76410c181273ba90b1 # v7.0.1
        with:
          persist-credentials: false
      - id: say
        env:
          WORD: ${{ inputs.word }}
        run: echo "word=$WORD" >> "$GITHUB_OUTPUT"
  use:
    name: Use
    needs: build
    runs-on: ubuntu-24.04
    steps:
      - env:
          WORD: ${{ needs.build.outputs.word }}
        run: echo "$WORD"
"""
CHECKOUT = "actions/checkout@3d3c42e5aac5ba805825da76410c181273ba90b1 # v7.0.1"


@pytest.fixture
def repository(tmp_path: Path) -> Callable[[str], Path]:
    """A repository with one workflow."""

    def make(workflow: str) -> Path:
        folder = tmp_path / ".github" / "workflows"
        folder.mkdir(parents=True)
        (folder / "it.yml").write_text(workflow, encoding="utf-8")
        return tmp_path

    return make


def test_good_workflow_passes(repository: Callable[[str], Path]) -> None:
    root = repository(GOOD)
    assert {linter.__name__: linter(root) for linter in lint.LINTERS} == {
        "language_service": "", "zizmor": "", "json_schemas": "", "shellcheck": "",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("linter", "good", "bad", "finding"),
    [
        ("language_service", "needs: build", "needs: buidl", "unknown job 'buidl'"),
        ("language_service", "needs.build.outputs.word", "needs.biuld.outputs.word", "biuld"),
        ("language_service", "steps.say.outputs", "steps.sya.outputs", "sya"),
        ("language_service", "persist-credentials", "persist-credential", "Invalid action input"),
        ("language_service", CHECKOUT, "actions/unknown@v1", "is not in tests/workflows/actions"),
        ("language_service", "3d3c42e5", "4d3c42e5", "actions.yaml describes 3d3c42e5"),
        ("zizmor", CHECKOUT, "actions/checkout@v7", "unpinned-uses"),
        ("zizmor", "persist-credentials: false", "fetch-depth: 1", "artipacked"),
        ("zizmor", 'echo "$WORD"', 'echo "${{ inputs.word }}"', "template-injection"),
        ("zizmor", "permissions: {}", "permissions: write-all", "excessive-permissions"),
        ("zizmor", "jobs:", "jobs: [", "failed to"),
        ("json_schemas", "runs-on: ubuntu-24.04", "run-on: ubuntu-24.04", "run-on"),
        ("shellcheck", 'echo "$WORD"', "echo $WORD", "SC2086"),
    ],
)
def test_planted_fault_is_found(
    repository: Callable[[str], Path], linter: str, good: str, bad: str, finding: str
) -> None:
    assert good in GOOD
    assert finding in getattr(lint, linter)(repository(GOOD.replace(good, bad)))


def test_findings_end_with_an_error(
    repository: Callable[[str], Path], capsys: pytest.CaptureFixture[str]
) -> None:
    assert lint.main(repository(GOOD.replace('"$WORD"', "$WORD"))) == 1
    assert "shellcheck:" in capsys.readouterr().err
