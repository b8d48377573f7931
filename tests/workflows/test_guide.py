"""The table of docs/github-setup.md is the variables and secrets that the workflows read."""

import re

from tests.workflows.running import ROOT


def test_every_variable_is_in_the_guide() -> None:
    workflows = "\n".join(
        file.read_text(encoding="utf-8") for file in sorted(ROOT.glob(".github/**/*.yml"))
    )
    used = {
        kind: set(re.findall(rf"\b{kind}\.([A-Z_]+)", workflows)) for kind in ("vars", "secrets")
    }
    guide = (ROOT / "docs" / "github-setup.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| `([A-Z_]+)` \| (variable|secret)", guide, re.MULTILINE)
    told = {
        kind: {name for name, of in rows if of == word}
        for kind, word in (("vars", "variable"), ("secrets", "secret"))
    }
    assert told == used
