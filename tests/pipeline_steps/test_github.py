"""What a GitHub job learns from a step."""

from pathlib import Path

import pytest

from pipeline_steps.github import set_output


def test_outputs_are_appended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "output"
    monkeypatch.setenv("GITHUB_OUTPUT", str(file))
    set_output("drift", "true")
    set_output("version", "größer")
    assert file.read_text(encoding="utf-8") == "drift=true\nversion=größer\n"
    with pytest.raises(ValueError, match="one line"):
        set_output("drift", "true\ninjected=1")
    assert "injected" not in file.read_text(encoding="utf-8")


def test_nothing_happens_elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    set_output("drift", "true")
    assert list(tmp_path.iterdir()) == []
