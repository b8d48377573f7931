"""What every step shares: its outcome, its command line, and the lock on its work folder."""

import argparse
import errno
import fcntl
import os
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, NoReturn

from pipeline_steps import settings as settings_module
from pipeline_steps.aws import Clients
from pipeline_steps.errors import ConfigurationError, PipelineError
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
    return exit_code_of(lambda: run_locked(run, parser.parse_args(arguments)))


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
    with locked(settings.work_dir):
        outcome = run(settings, Clients())
    print(f"{outcome.status}: {outcome.detail}")


def exit_code_of(work: Callable[[], Any]) -> int:
    """Run `work`; an error of ours becomes its message on stderr and its exit code."""
    before = signal.signal(signal.SIGTERM, _interrupt)
    try:
        work()
    except PipelineError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT):
            raise
        print(
            f"error: The disk is full ({error.filename or 'while writing'}). Nothing half-written "
            "is left. Free some space and run the same command: it goes on where this one ended.",
            file=sys.stderr,
        )
        return PipelineError.exit_code
    except KeyboardInterrupt:
        print("Stopped. The same command goes on where this one ended.", file=sys.stderr)
        return 130
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
