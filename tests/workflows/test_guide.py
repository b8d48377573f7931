"""What docs/github-setup.md says of the workflows is what they do."""

import re

import yaml

from pipeline_steps.github_commands import VARIABLES
from tests.workflows.running import ROOT

GUIDE = (ROOT / "docs" / "github-setup.md").read_text(encoding="utf-8")
ROWS = re.findall(r"^\| `([A-Z_]+)` \| (variable|secret)(.*?) \|", GUIDE, re.MULTILINE)
WORKFLOWS = ROOT / ".github" / "workflows"


def test_every_variable_is_in_the_guide() -> None:
    workflows = "\n".join(
        file.read_text(encoding="utf-8") for file in sorted(ROOT.glob(".github/**/*.yml"))
    )
    used = {
        kind: set(re.findall(rf"\b{kind}\.([A-Z_]+)", workflows)) for kind in ("vars", "secrets")
    }
    told = {
        kind: {name for name, of, _ in ROWS if of == word}
        for kind, word in (("vars", "variable"), ("secrets", "secret"))
    }
    assert told == used


def test_bootstrap_sets_variables_where_the_guide_says() -> None:
    places = {name: set(re.findall(r"`(\w+)`", place)) for name, _, place in ROWS}
    for variable in {name for name, _ in VARIABLES.values()}:
        environments = {where for name, where in VARIABLES.values() if name == variable and where}
        assert places[variable] == environments, variable


def test_guide_knows_each_compute() -> None:
    workflow = yaml.safe_load((WORKFLOWS / "retrain.yml").read_text(encoding="utf-8"))
    choices = workflow[True]["workflow_dispatch"]["inputs"]["compute"]["options"]  # `on:`, to YAML
    told = re.findall(r"^\| `([a-z-]+)` \|", GUIDE, re.MULTILINE)
    assert sorted(told) == sorted(choices)


def test_guide_counts_what_a_reviewer_of_staging_would_be_asked() -> None:
    jobs = yaml.safe_load((WORKFLOWS / "pipeline.yml").read_text(encoding="utf-8"))["jobs"]
    asked = [name for name, job in jobs.items() if "staging" in str(job.get("environment"))]
    assert len(asked) == 4
    assert "`staging` has four" in " ".join(GUIDE.split())
