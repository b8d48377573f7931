"""What every step shares: its outcome, its command line, and the lock on its work folder."""

import argparse
import fcntl
import inspect
import os
import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, NoReturn

from pipeline_steps import github
from pipeline_steps import settings as settings_module
from pipeline_steps.clients import Clients
from pipeline_steps.errors import ConfigurationError, PipelineError, describe, is_full_disk
from pipeline_steps.settings import Settings

Status = Literal["done", "reused", "skipped"]


@dataclass(frozen=True)
class Outcome:
    """What a step did: its status, and one line for people."""

    status: Status
    detail: str


Run = Callable[[Settings, Clients], Outcome]


def main(run: Run, description: str | None, arguments: list[str] | None = None) -> int:
    """Run one step from the command line and give back its exit code."""
    parser = parser_with_flags(description)
    name = Path(inspect.getfile(run)).stem
    return exit_code_of(lambda: run_locked(run, parser.parse_args(arguments)), name)


def parser_with_flags(
    description: str | None, program: str | None = None
) -> argparse.ArgumentParser:
    """A parser that knows `--profile`, `--build-dir` and every setting."""
    parser = argparse.ArgumentParser(
        prog=program,
        description=description,
        usage="%(prog)s [flags]      --help lists them all",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    settings_module.add_flags(parser)
    return parser


def run_locked(run: Run, arguments: argparse.Namespace) -> None:
    """Run a step with the settings that `arguments` ask for, alone in its work folder."""
    settings = settings_module.from_flags(arguments)
    started = time.monotonic()
    with locked(settings.work_dir):
        outcome = run(settings, Clients())
    github.set_output("seconds", f"{time.monotonic() - started:.2f}")
    tell(outcome)


def tell(outcome: Outcome) -> None:
    """Say what was done, to people and to the job that this may run in."""
    print(f"{outcome.status}: {outcome.detail}")
    github.set_output("status", outcome.status)
    github.set_output("detail", outcome.detail)


def exit_code_of(work: Callable[[], Any], name: str = "error") -> int:
    """Run `work`; an error of ours becomes its message on stderr and its exit code.

    Args:
        work: what the command does.
        name: of the command, for the list of errors that GitHub shows.
    """
    before = signal.signal(signal.SIGTERM, _interrupt)
    try:
        work()
    except (Exception, KeyboardInterrupt) as error:
        told = describe(error)
        github.tell_error(name, told)
        if isinstance(error, KeyboardInterrupt):
            print(told, file=sys.stderr)
            return 130
        if not isinstance(error, PipelineError) and not is_full_disk(error):
            raise
        print(f"error: {told}", file=sys.stderr)
        return getattr(error, "exit_code", PipelineError.exit_code)
    finally:
        signal.signal(signal.SIGTERM, before)
    return 0


def _interrupt(number: int, frame: object) -> NoReturn:
    raise KeyboardInterrupt


@contextmanager
def locked(work_dir: Path) -> Iterator[None]:
    """Hold the work folder for this process; the kernel lets go even if it is killed.

    Raises:
        ConfigurationError: another run holds it.
    """
    try:
        work_dir.mkdir(parents=True, exist_ok=True)
        file = (work_dir / ".lock").open("a+")
    except OSError as error:
        raise ConfigurationError(
            f"{work_dir}: cannot be written ({error.strerror}). Name another with --build-dir."
        ) from error
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.seek(0)
            raise ConfigurationError(
                f"{work_dir} is in use by another run (process {file.read().strip() or '?'}). "
                "Wait for it, or pass another folder with --build-dir."
            ) from None
        file.truncate(0)
        file.write(str(os.getpid()))
        file.flush()
        yield
