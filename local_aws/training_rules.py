"""SageMaker's training jobs as strict as AWS where moto is not, and `StopTrainingJob`.

moto calls each job completed at once, with an artefact that is nowhere.
https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_CreateTrainingJob.html
"""

import functools
from typing import Any

import botocore.session
from moto.core.responses import ActionResult, EmptyResult
from moto.sagemaker.exceptions import ResourceInUseException, ValidationError
from moto.sagemaker.models import FakeTrainingJob, SageMakerModelBackend
from moto.sagemaker.responses import SageMakerResponse

from local_aws.moto_patches import Patches, role_trusts
from local_aws.training_plane import TrainingPlane


@functools.cache
def _instance_types() -> frozenset[str]:
    model = botocore.session.get_session().get_service_model("sagemaker")
    return frozenset(model.shape_for("TrainingInstanceType").metadata["enum"])


def _check_job(
    self: SageMakerModelBackend,
    *,
    training_job_name: str,
    role_arn: str,
    resource_config: dict[str, Any],
    stopping_condition: dict[str, int],
    enable_managed_spot_training: bool,
    **_: Any,
) -> None:
    known = self.training_jobs.get(training_job_name)
    if known:
        raise ResourceInUseException(
            "Training job names must be unique within an AWS account and region, and a training "
            f"job with this name already exists ({known.arn})"
        )
    if resource_config["InstanceType"] not in _instance_types():
        raise ValidationError(
            message=f"1 validation error detected: Value '{resource_config['InstanceType']}' at "
            "'resourceConfig.instanceType' failed to satisfy constraint: Member must satisfy enum "
            f"value set: [{', '.join(sorted(_instance_types()))}]"
        )
    if not role_trusts(self.account_id, role_arn, "sagemaker.amazonaws.com"):
        raise ValidationError(
            message=f"Could not assume role {role_arn}. Please ensure that the role exists and "
            "allows principal 'sagemaker.amazonaws.com' to assume the role."
        )
    longest = stopping_condition.get("MaxWaitTimeInSeconds", 0)
    if enable_managed_spot_training and longest < stopping_condition["MaxRuntimeInSeconds"]:
        raise ValidationError(
            message="Invalid MaxWaitTimeInSeconds. It must be present and be greater than or equal "
            "to MaxRuntimeInSeconds"
        )


def _reset(job: Any, environment: dict[str, str]) -> None:
    """Take back what moto says of a job that has only been created."""
    job.environment = environment
    job.training_start_time = job.training_end_time = None
    job.model_artifacts = job.final_metric_data_list = None
    job.secondary_status_transitions = []
    job.algorithm_specification.pop("MetricDefinitions", None)


def apply(patches: Patches, plane: TrainingPlane) -> None:
    """Install the rules; created and stopped jobs are handed to `plane`."""
    create_job = SageMakerResponse.create_training_job

    def create_training_job(self: SageMakerResponse) -> ActionResult:
        answer = create_job(self)
        backend = self.sagemaker_backend
        job = backend.training_jobs[self._get_param("TrainingJobName")]
        _reset(job, self._get_param("Environment"))
        plane.move(job, "InProgress", "Starting")
        plane.start(backend, job)
        return answer

    def find_job(backend: SageMakerModelBackend, name: str) -> FakeTrainingJob:
        if name not in backend.training_jobs:
            raise ValidationError(message="Requested resource not found.")
        return backend.training_jobs[name]

    def describe_training_job(
        self: SageMakerModelBackend, training_job_name: str
    ) -> dict[str, Any]:
        return dict(find_job(self, training_job_name).response_object)

    def stop_training_job(self: SageMakerResponse) -> ActionResult:
        job = find_job(self.sagemaker_backend, self._get_param("TrainingJobName"))
        if job.training_job_status == "InProgress":
            plane.stop(job)
        elif job.training_job_status != "Stopping":
            raise ValidationError(
                message="The request was rejected because the training job is in status "
                f"{job.training_job_status}."
            )
        return EmptyResult()

    patches.before(SageMakerModelBackend, "create_training_job", _check_job)
    patches.set(SageMakerModelBackend, "describe_training_job", describe_training_job)
    patches.set(SageMakerResponse, "create_training_job", create_training_job)
    patches.set(SageMakerResponse, "stop_training_job", stop_training_job)
