"""One exception per kind of failure; each carries the exit code that the steps end with."""


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
