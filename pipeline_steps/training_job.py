"""Training in a SageMaker training job: launched once, followed to its end, fetched and verified.

A job is named `<name>-<model_version>-<digest>`, so a run that was killed finds the job that it
launched, and one that has ended is fetched. A job that failed or was stopped keeps its name for
ever; the next one counts on. The SageMaker SDK launches it (`sagemaker_sdk.py`).
https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_CreateTrainingJob.html
"""

import itertools
import json
import re
import sys
from datetime import UTC, datetime
from time import sleep
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from model.interruption import caught_signals
from pipeline_steps import fingerprint, training_source
from pipeline_steps.aws import Clients, aws_errors, create, find, when_role_is_usable
from pipeline_steps.errors import ConfigurationError, TrainingFailedError
from pipeline_steps.model_artefacts import TrainingReport
from pipeline_steps.model_bucket import ModelBucket
from pipeline_steps.names import name_of
from pipeline_steps.sagemaker_sdk import launcher
from pipeline_steps.setting_groups import ComputeSettings
from pipeline_steps.settings import Settings
from pipeline_steps.training_log import GROUP, JobLog
from pipeline_steps.training_output import GIT_VARIABLE, UnusableModelError, fetch
from pipeline_steps.training_plan import TrainingPlan

VOLUME_GB = 30  # of the job's disk: data, code, checkpoints
GPU_INSTANCE = re.compile(r"ml\.[gp]\d")
ANEW = "Mend the cause and run the same command again: it launches a new job."
UNTOUCHED = "Nothing was deployed."


def train_in_job(settings: Settings, clients: Clients, planned: TrainingPlan) -> TrainingReport:
    """Make `checkpoint/` in a training job: an earlier one of the same plan, or a new one.

    Raises:
        ConfigurationError: the bucket or the role is not set, or the image does not fit.
        TrainingFailedError: the job failed, was stopped, did not start, or AWS refused a call.
    """
    _refuse_unfit_image(settings)
    settings.require("compute", "training_role_arn")
    with aws_errors(TrainingFailedError, f"Training {planned.model_version} on SageMaker"):
        bucket = ModelBucket(settings, clients)
        with bucket.refusals(TrainingFailedError):
            return _Training(settings, clients, planned, bucket).run()


def _refuse_unfit_image(settings: Settings) -> None:
    compute = settings.compute
    default = ComputeSettings().training_image
    if compute.training_image == default and not GPU_INSTANCE.match(compute.training_instance):
        raise ConfigurationError(
            f"training_instance is {compute.training_instance!r}, which has no GPU, and AWS has "
            "Hugging Face training images for GPUs only. Choose one such as 'ml.g5.xlarge', or "
            "give an image of your own with --training-image."
        )


class _Training:
    """One plan on its way through a job."""

    def __init__(
        self, settings: Settings, clients: Clients, planned: TrainingPlan, bucket: ModelBucket
    ) -> None:
        self._settings, self._compute = settings, settings.compute
        self._clients, self._sagemaker = clients, clients.sagemaker
        self._planned, self._bucket = planned, bucket
        self._image = self._compute.training_image.format(region=self._sagemaker.meta.region_name)

    def run(self) -> TrainingReport:
        """Find the job that is to be followed or fetched, or launch it."""
        for attempt in itertools.count():
            name = self._name(attempt)
            job = self._describe(name)
            status = job["TrainingJobStatus"] if job else None
            if status == "Completed":
                try:
                    return self._fetch(job)
                except UnusableModelError as error:
                    print(f"  what the training job {name} left is not used: {error}")
            elif status in (None, "InProgress"):
                return self._through(name, is_new=job is None)
        raise AssertionError("unreachable")

    def _name(self, attempt: int) -> str:
        what = [self._planned.fingerprint, self._image, self._compute.training_instance]
        how = [self._compute.spot, self._compute.instance_count, self._compute.distributed]
        content = [*what, *how, attempt]
        name = self._settings.deploy.name
        return name_of(self._settings, name, self._planned.model_version, content)

    def _describe(self, name: str) -> Any:
        return find(self._sagemaker.describe_training_job, TrainingJobName=name)

    def _fetch(self, job: dict[str, Any]) -> TrainingReport:
        return fetch(self._settings, self._bucket, self._planned, job)

    def _through(self, name: str, is_new: bool) -> TrainingReport:
        """Launch the job if need be, follow it, fetch its model; a stop of ours stops it, too."""
        try:
            if is_new:
                self._launch(name)
            print(f"  training job {name} {'launched' if is_new else 'found, it is followed'}")
            job = self._follow(name)
        except KeyboardInterrupt:
            self._stop(name)
            raise
        _refuse_unless_completed(name, job)
        try:
            return self._fetch(job)
        except UnusableModelError as error:
            raise TrainingFailedError(
                f"The training job {name} completed, and what it left is not the model: {error}. "
                f"{UNTOUCHED} {ANEW}"
            ) from error

    def _launch(self, name: str) -> None:
        launch = launcher(self._clients)
        inputs = training_source.upload(self._settings, self._bucket, self._planned)
        request, deploy = self._request(name, inputs), self._settings.deploy
        try:
            when_role_is_usable(
                lambda: create(launch, **request),
                deploy.role_timeout,
                deploy.poll_seconds,
            )
        except ClientError as error:
            if error.response["Error"]["Code"] != "ResourceLimitExceeded":
                raise
            raise TrainingFailedError(
                f"CreateTrainingJob failed: {error.response['Error']['Message']} Ask for the quota "
                f"'{self._compute.training_instance} for training job usage' in the Service Quotas "
                "console of this region, wait for a job that is still using it, or choose another "
                f"with --training-instance. {UNTOUCHED}"
            ) from error

    def _request(self, name: str, inputs: training_source.JobInputs) -> dict[str, Any]:
        compute = self._compute
        jobs = self._bucket.url(f"{self._settings.deploy.name}/training/jobs")
        told = {**self._settings.tags, "model_version": self._planned.model_version}
        del told["environment"]  # a model is trained for both
        request: dict[str, Any] = {
            "training_job_name": name,
            "algorithm_specification": {
                "training_image": self._image,
                "training_input_mode": "File",
            },
            "role_arn": compute.training_role_arn,
            "hyper_parameters": inputs.hyperparameters,
            "input_data_config": [_channel(*item) for item in inputs.channels.items()],
            "output_data_config": {"s3_output_path": jobs},
            "resource_config": {
                "instance_type": compute.training_instance,
                "instance_count": compute.instance_count,
                "volume_size_in_gb": VOLUME_GB,
            },
            "stopping_condition": {"max_runtime_in_seconds": compute.training_timeout},
            "environment": {GIT_VARIABLE: json.dumps(fingerprint.git_state())},
            "tags": [{"key": key, "value": value} for key, value in told.items()],
        }
        if compute.spot:
            longest = compute.training_timeout + compute.start_timeout
            request["enable_managed_spot_training"] = True
            request["stopping_condition"]["max_wait_time_in_seconds"] = longest
            request["checkpoint_config"] = {"s3_uri": f"{jobs}/{name}/checkpoints"}
        return request

    def _follow(self, name: str) -> dict[str, Any]:
        """Show the job's states and its log until it has ended; gives its last description."""
        log, seen = JobLog(self._clients.logs, name), 0
        goes_on = "which goes on without us (the same command or workflow picks it up)"
        with aws_errors(TrainingFailedError, f"Following the training job {name}, {goes_on}"):
            while True:
                job: dict[str, Any] = self._sagemaker.describe_training_job(TrainingJobName=name)
                transitions = job.get("SecondaryStatusTransitions", [])
                for item in transitions[seen:]:
                    print(f"  {item['Status']}: {item.get('StatusMessage', '')}", flush=True)
                seen = len(transitions)
                log.show()
                if job["TrainingJobStatus"] not in ("InProgress", "Stopping"):
                    return job
                self._refuse_late_start(name, job)
                sleep(self._settings.deploy.poll_seconds)

    def _refuse_late_start(self, name: str, job: dict[str, Any]) -> None:
        waited = (datetime.now(UTC) - job["CreationTime"]).total_seconds()
        if "TrainingStartTime" in job or waited <= self._compute.start_timeout:
            return
        self._stop(name)
        raise TrainingFailedError(
            f"The training job {name} has not started within {self._compute.start_timeout} s "
            f"(it is {job['SecondaryStatus']}): AWS has no {self._compute.training_instance} free. "
            f"It is being stopped. {UNTOUCHED} Try again later, choose another with "
            "--training-instance, or wait longer with --start-timeout."
        )

    def _stop(self, name: str) -> None:
        """Stop the job; a second signal, such as GitHub sends, does not stop this."""
        with caught_signals():
            try:
                found = find(self._sagemaker.stop_training_job, TrainingJobName=name)
            except (ClientError, BotoCoreError) as error:
                print(
                    f"warning: the training job {name} goes on, and costs: {error} "
                    f"Stop it by hand: aws sagemaker stop-training-job --training-job-name {name}",
                    file=sys.stderr,
                )
            else:
                if found is not None:  # else it was not launched yet
                    print(f"  training job {name} is being stopped", flush=True)


def _channel(name: str, url: str) -> dict[str, Any]:
    source = {
        "s3_data_type": "S3Prefix", "s3_uri": url, "s3_data_distribution_type": "FullyReplicated",
    }  # fmt: skip
    return {"channel_name": name, "data_source": {"s3_data_source": source}}


def _refuse_unless_completed(name: str, job: dict[str, Any]) -> None:
    status, detail = job["TrainingJobStatus"], job["SecondaryStatus"]
    if status == "Completed":
        return
    log = f"Its log is above and in CloudWatch, group {GROUP}."
    if status == "Failed":
        reason = job.get("FailureReason", "AWS gives no reason")
        advice = ANEW
        if "capacity" in reason.lower():
            advice = "Try again later, or choose another with --training-instance."
        raise TrainingFailedError(
            f"The training job {name} failed: {reason} {log} {UNTOUCHED} {advice}"
        )
    if detail == "MaxRuntimeExceeded":
        limit = job["StoppingCondition"]["MaxRuntimeInSeconds"]
        raise TrainingFailedError(
            f"The training job {name} was stopped after {limit} s, its limit. {UNTOUCHED} Give it "
            "longer with --training-timeout, or a faster --training-instance."
        )
    if detail == "MaxWaitTimeExceeded":
        limit = job["StoppingCondition"]["MaxWaitTimeInSeconds"]
        raise TrainingFailedError(
            f"The training job {name} was stopped after {limit} s, its limit with the wait for "
            f"spot instances. {UNTOUCHED} Wait longer with --start-timeout, or go without --spot."
        )
    raise TrainingFailedError(
        f"The training job {name} was stopped ({detail}), not by this run. {log} {UNTOUCHED} "
        "Run the same command again: it launches a new job."
    )
