"""The SDK that launches training jobs: with our clients, and only where it is installed."""

import sys
from typing import Any
from unittest.mock import Mock

import pytest

from local_aws.server import LocalAws
from pipeline_steps.clients import READ_SECONDS, Clients
from pipeline_steps.errors import ConfigurationError
from pipeline_steps.sagemaker_sdk import launcher


def request(aws: LocalAws) -> dict[str, Any]:
    """A job that can be created, and fails: there is nothing where its code should be."""
    source = {"s3_data_type": "S3Prefix", "s3_uri": "s3://nowhere/data"}
    return {
        "training_job_name": "a-job",
        "algorithm_specification": {"training_image": "any", "training_input_mode": "File"},
        "role_arn": aws.environment()["TRAINING_ROLE_ARN"],
        "hyper_parameters": {"sagemaker_submit_directory": "s3://nowhere/at-all"},
        "input_data_config": [{"channel_name": "data", "data_source": {"s3_data_source": source}}],
        "output_data_config": {"s3_output_path": "s3://nowhere"},
        "resource_config": {
            "instance_type": "ml.g5.xlarge", "instance_count": 1, "volume_size_in_gb": 30,
        },
        "stopping_condition": {"max_runtime_in_seconds": 60},
        "environment": {},
    }  # fmt: skip


def test_calls_go_through_our_client(aws: LocalAws, monkeypatch: pytest.MonkeyPatch) -> None:
    clients = Clients()
    create = Mock(wraps=clients.sagemaker.create_training_job)
    monkeypatch.setattr(clients.sagemaker, "create_training_job", create)
    launcher(clients)(**request(aws))
    assert create.call_args.kwargs["TrainingJobName"] == "a-job"  # and not one of the SDK's
    assert clients.sagemaker.meta.config.read_timeout == READ_SECONDS


def test_missing_sdk_is_told_with_how_to_get_it(
    aws: LocalAws, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "sagemaker.core.resources", None)
    with pytest.raises(ConfigurationError, match=r"pip install -r requirements-sagemaker\.txt"):
        launcher(Clients())
