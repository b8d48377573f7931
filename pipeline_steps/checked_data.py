"""The data set as the steps read it: the same rows in each, or an error that says so."""

from model.data import DataError, Splits, read_splits
from pipeline_steps.errors import DataCheckError
from pipeline_steps.model_artefacts import DataReport
from pipeline_steps.settings import Settings


def read_data(settings: Settings) -> Splits:
    """Read the profile's data set.

    Raises:
        DataCheckError: it cannot be read.
    """
    try:
        return read_splits(settings.model.data, settings.training.seed)
    except DataError as error:
        raise DataCheckError(str(error)) from error


def read_checked_data(settings: Settings) -> Splits:
    """Read the data set that `check_data` has passed.

    Raises:
        DataCheckError: it cannot be read, has changed since, or was not passed.
    """
    checked = DataReport.load(settings.work_dir)
    splits = read_data(settings)
    if splits.hash() != checked.data_hash or checked.blocking:
        raise DataCheckError(
            f"The data at {settings.model.data!r} is not what check_data passed. "
            "Run `python -m pipeline_steps.check_data` with the same flags, then this again."
        )
    return splits
