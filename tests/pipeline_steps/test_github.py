"""What a GitHub job learns from a step, whatever stands in it."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline_steps import github


def outputs_in(text: str) -> dict[str, str]:
    """Read a file of outputs as the runner does: `name=value`, or `name<<end`, lines, `end`."""
    found: dict[str, str] = {}
    lines = iter(text.split("\n")[:-1])
    for line in lines:
        name, equals, plain = line.partition("=")
        if equals and "<<" not in name:
            found[name] = plain
            continue
        name, _, end = line.partition("<<")
        value: list[str] = []
        while (part := next(lines)) != end:
            value.append(part)
        found[name] = "\n".join(value)
    return found


@pytest.fixture
def job(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A job of GitHub's, as far as a step sees it: where it writes to."""
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    monkeypatch.setenv("GITHUB_OUTPUT", str(tmp_path / "outputs"))
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(tmp_path / "summary"))
    return tmp_path


def test_no_value_becomes_a_second_output(job: Path) -> None:
    @given(st.text(st.characters(exclude_categories=["Cs"]), max_size=99))
    def holds(value: str) -> None:
        (job / "outputs").write_text("", encoding="utf-8")
        github.set_output("drift", value)
        github.set_output("version", "größer\ninjected=1")
        text = (job / "outputs").read_bytes().decode()
        assert outputs_in(text) == {"drift": value, "version": "größer\ninjected=1"}

    holds()


def test_error_is_one_line_with_a_title(job: Path, capsys: pytest.CaptureFixture[str]) -> None:
    github.tell_error("train, sst2: x", "100 % wrong\n::warning::no command of ours")
    assert capsys.readouterr().out == (
        "::error title=train%2C sst2%3A x::100 %25 wrong%0A::warning::no command of ours\n"
    )
    assert "100 % wrong" in outputs_in((job / "outputs").read_text())["error"]


def test_long_error_keeps_both_ends(job: Path, capsys: pytest.CaptureFixture[str]) -> None:
    github.tell_error("train", "It began. " + "x" * 10**6 + " It ended.")
    told = capsys.readouterr().out
    assert len(told) < 5_000
    assert "It began" in told
    assert told.endswith("It ended.\n")


def test_summary_is_appended(job: Path) -> None:
    github.add_summary("# One")
    github.add_summary("# Two\n")
    assert (job / "summary").read_text() == "# One\n\n# Two\n\n"


def test_nothing_happens_elsewhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    github.set_output("drift", "true")
    github.add_summary("# One")
    github.tell_error("train", "wrong")
    assert list(tmp_path.iterdir()) == []
    assert capsys.readouterr().out == ""
