"""One exception per kind of failure; each carries the exit code that the steps end with."""

import errno
from typing import TypeGuard


class PipelineError(Exception):
    """A failure the user can act on: the message says what came, what was expected, what to do."""

    exit_code = 1


class ConfigurationError(PipelineError):
    """A setting, flag, profile or environment variable is missing or wrong."""

    exit_code = 2


class DataCheckError(PipelineError):
    """The data is not there, cannot be read, or breaks a rule that blocks."""

    exit_code = 3


class TrainingFailedError(PipelineError):
    """Training or export did not give a model."""

    exit_code = 4


class GateNotMetError(PipelineError):
    """The model is below the bar; nothing after evaluation runs."""

    exit_code = 5


class PackagingError(PipelineError):
    """The tarball could not be made, or does not give the answers that were evaluated."""

    exit_code = 6


class DeployError(PipelineError):
    """The endpoint could not be created or updated."""

    exit_code = 7


class ApiError(PipelineError):
    """The Lambda function or the HTTP API could not be created or updated."""

    exit_code = 8


class SmokeTestError(PipelineError):
    """The live API does not give the evaluated answers."""

    exit_code = 9


def describe(error: BaseException) -> str:
    """What went wrong, for people; also where it is none of ours."""
    if isinstance(error, KeyboardInterrupt):
        return "Stopped by hand or by a signal. The same command goes on where this one ended."
    if is_full_disk(error):
        return (
            f"The disk is full ({error.filename or 'while writing'}). Nothing half-written is "
            "left. Free some space and run the same command: it goes on where this one ended."
        )
    return str(error) if isinstance(error, PipelineError) else f"{type(error).__name__}: {error}"


def is_full_disk(error: BaseException) -> TypeGuard[OSError]:
    """Whether there is no room left to write to, which is nobody's bug."""
    return isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT)
