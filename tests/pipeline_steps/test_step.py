"""A step's command line: exit codes, messages, and one run at a time in a folder."""

import contextlib
import errno
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from pipeline_steps import errors, step
from pipeline_steps.aws import Clients
from pipeline_steps.errors import ConfigurationError, PipelineError
from pipeline_steps.settings import Settings
from pipeline_steps.step import Outcome, locked

HOLD = "from pathlib import Path; from pipeline_steps.step import locked; import sys\n"
HOLD += "with locked(Path(sys.argv[1])): print('held', flush=True); sys.stdin.read()"


def exit_code(error: BaseException | None, tmp_path: Path) -> int:
    def run(settings: Settings, clients: Clients) -> Outcome:
        if error:
            raise error
        return Outcome("done", f"profile {settings.profile}")

    return step.main(run, "help", ["--build-dir", str(tmp_path)])


def test_outcome_is_printed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert exit_code(None, tmp_path) == 0
    assert capsys.readouterr().out == "done: profile demo\n"


def test_every_error_has_its_exit_code(tmp_path: Path) -> None:
    kinds = [kind for kind in vars(errors).values() if isinstance(kind, type)]
    assert sorted(kind.exit_code for kind in kinds) == [1, 2, 3, 4, 5, 6, 7, 8, 9]
    for kind in kinds:
        assert exit_code(kind("what came"), tmp_path) == kind.exit_code


def test_error_goes_to_stderr(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    exit_code(PipelineError("what came, what to do"), tmp_path)
    captured = capsys.readouterr()
    assert captured.err == "error: what came, what to do\n"
    assert captured.out == ""


def test_github_is_told_of_how_it_ended(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    monkeypatch.setenv("GITHUB_OUTPUT", str(tmp_path / "outputs"))
    # WHEN one ends well THEN later jobs learn how
    exit_code(None, tmp_path)
    told = (tmp_path / "outputs").read_text()
    assert "status=done\ndetail=profile demo\n" in told
    assert "seconds=0." in told
    # WHEN it fails, expected or not, THEN there is an annotation and an output
    for error in (PipelineError("what came"), ZeroDivisionError("a bug"), KeyboardInterrupt()):
        with contextlib.suppress(ZeroDivisionError):
            exit_code(error, tmp_path)
    printed = [line for line in capsys.readouterr().out.splitlines() if line.startswith("::error")]
    assert printed[:2] == [
        "::error title=test_step::what came",
        "::error title=test_step::ZeroDivisionError: a bug",
    ]
    assert "Stopped by hand" in printed[2]
    assert (tmp_path / "outputs").read_text().count("error=") == 3


def test_unexpected_error_keeps_its_traceback(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError):
        exit_code(ZeroDivisionError("a bug"), tmp_path)


def test_full_disk_is_told_without_traceback(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    full = OSError(errno.ENOSPC, "No space left on device", "build/demo/data.json")
    assert exit_code(full, tmp_path) == 1
    assert "The disk is full (build/demo/data.json)" in capsys.readouterr().err
    with pytest.raises(OSError, match="Input/output error"):
        exit_code(OSError(errno.EIO, "Input/output error"), tmp_path)


def test_interrupt_says_how_to_go_on(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert exit_code(KeyboardInterrupt(), tmp_path) == 130
    assert "goes on where this one ended" in capsys.readouterr().err


def test_second_run_in_a_folder_is_refused(tmp_path: Path) -> None:
    # GIVEN another process that holds the folder
    command = [sys.executable, "-c", HOLD, str(tmp_path)]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        # WHEN this one asks for it THEN it is told who has it
        with (
            pytest.raises(ConfigurationError, match=f"in use by another run .process {holder.pid}"),
            locked(tmp_path),
        ):
            pytest.fail("two runs in one folder")
        # AND once that process is killed, the folder is free
        os.kill(holder.pid, signal.SIGKILL)
        holder.wait()
        with locked(tmp_path):
            pass


def test_unwritable_folder_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with (
        pytest.raises(ConfigurationError, match=r"cannot be written .*--build-dir"),
        locked(tmp_path / "file" / "demo"),
    ):
        pytest.fail("a folder inside a file")
