"""The SageMaker SDK launches training jobs, over our own clients: their timeouts and their retries.

https://sagemaker.readthedocs.io/en/stable/sagemaker_core/
"""

import functools
from collections.abc import Callable
from typing import Any

import boto3

from pipeline_steps.clients import Clients
from pipeline_steps.errors import ConfigurationError


class _Session(boto3.Session):
    """What the SDK takes its clients from; those of SageMaker itself are ours."""

    def __init__(self, clients: Clients) -> None:
        self._ours = clients.sagemaker
        super().__init__(region_name=self._ours.meta.region_name)

    def client(self, service_name: str, *arguments: Any, **options: Any) -> Any:
        """The client of a service."""
        if service_name == "sagemaker":
            return self._ours
        return super().client(service_name, *arguments, **options)


def launcher(clients: Clients) -> Callable[..., Any]:
    """The SDK's `TrainingJob.create`, which makes its calls through `clients`.

    Raises:
        ConfigurationError: the SDK is not installed.
    """
    try:
        # Only a job that launches one has it installed.
        from sagemaker.core.resources import TrainingJob  # noqa: PLC0415
    except ImportError as error:
        raise ConfigurationError(
            f"Training on SageMaker needs its SDK ({error}). Install it: "
            "python -m pip install -r requirements-sagemaker.txt"
        ) from error
    session = _Session(clients)
    return functools.partial(TrainingJob.create, session=session, region=session.region_name)
