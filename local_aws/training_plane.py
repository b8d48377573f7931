"""SageMaker's training jobs: each really runs its program, as a process of this machine.

What AWS's training container does, is done here: the channels are downloaded, the code is
unpacked and started with the hyperparameters as flags, its output goes to CloudWatch, and what
it leaves in `model/` to S3. The image is not started, nor its `requirements.txt` installed. A job
that is interrupted, as a spot instance can be, starts again on an empty disk.
https://github.com/aws/sagemaker-training-toolkit
"""

import json
import logging
import os
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from moto.core.utils import utcnow
from moto.logs.models import logs_backends
from moto.s3.models import s3_backends
from moto.sagemaker.models import SageMakerModelBackend

from local_aws.checkpoint_sync import CheckpointSync
from local_aws.children import Children
from local_aws.function_logs import FunctionLogs
from local_aws.sagemaker_plane import REASON_CHARACTERS, find_model_data
from pipeline_steps.errors import PackagingError
from pipeline_steps.tarball import extract_tarball, write_tarball

GROUP = "/aws/sagemaker/TrainingJobs"
MESSAGES = {  # as AWS words them
    "Starting": "Starting the training job",
    "Downloading": "Downloading input data",
    "Training": "Training image download completed. Training in progress.",
    "Uploading": "Uploading generated training model",
    "Completed": "Training job completed",
    "Failed": "Training job failed",
    "Stopping": "Stopping the training job",
    "Stopped": "Training job stopped",
    "Interrupted": "The managed spot training instances were interrupted",
    "MaxRuntimeExceeded": "Training job runtime exceeded MaxRuntimeInSeconds provided",
}
GRACE_SECONDS = 120  # that a stopped program has; https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_StopTrainingJob.html
TAIL = 20  # lines of output that a failure quotes
PASSED = ("PATH", "LANG", "OMP_WAIT_POLICY", "HF_HOME")
Job = Any  # moto's FakeTrainingJob
log = logging.getLogger("local_aws")


class JobFailedError(Exception):
    """The job's FailureReason."""


class TrainingPlane:
    """The processes of all jobs in progress, by the job's ARN."""

    def __init__(
        self,
        folder: Path,
        gate: threading.RLock,
        changed: Callable[[], None],
        children: Children,
        logs: FunctionLogs,
    ) -> None:
        self._folder, self._gate, self._changed = folder, gate, changed
        self._children, self._logs = children, logs
        self._running: dict[str, subprocess.Popen[bytes]] = {}
        self._interrupted: set[str] = set()
        self._threads: list[threading.Thread] = []
        self._closing = threading.Event()

    def resume(self, backends: Iterable[SageMakerModelBackend]) -> None:
        """Start again the jobs that a stop of the server interrupted, as a spot instance would."""
        for backend in backends:
            for job in backend.training_jobs.values():
                if job.training_job_status == "InProgress":
                    self.start(backend, job)
                elif job.training_job_status == "Stopping":
                    self._end(job, "Stopped")

    def start(self, backend: SageMakerModelBackend, job: Job) -> None:
        """Run a job in the background."""
        thread = threading.Thread(target=self._run, args=(backend, job), name="training")
        self._threads = [old for old in self._threads if old.is_alive()] + [thread]
        thread.start()

    def stop(self, job: Job) -> None:
        """Ask a job's program to end; its model, if it left one, is uploaded all the same."""
        self.move(job, "Stopping", "Stopping")
        if job.arn in self._running:
            _terminate(self._running[job.arn])

    def interrupt(self, arn: str) -> None:
        """Take the instance of a running job away, with all that is on it; AWS has no call for it.

        Raises:
            KeyError: no such job's program runs.
        """
        process = self._running[arn]
        self._interrupted.add(arn)
        _terminate(process)

    def move(self, job: Job, status: str, secondary: str) -> None:
        """Bring a job to a status, and note the transition."""
        with self._gate:
            now = utcnow()
            job.training_job_status, job.secondary_status = status, secondary
            transitions = job.secondary_status_transitions
            if transitions:
                transitions[-1]["EndTime"] = now
            transitions.append(
                {"Status": secondary, "StartTime": now, "StatusMessage": MESSAGES[secondary]}
            )
            job.last_modified_time = now
        self._changed()

    def _run(self, backend: SageMakerModelBackend, job: Job) -> None:
        try:
            ending = self._train(backend, job)
            while ending == "Interrupted":
                self.move(job, "InProgress", "Interrupted")
                self.move(job, "InProgress", "Starting")
                ending = self._train(backend, job)
        except JobFailedError as error:
            job.failure_reason = str(error)[:REASON_CHARACTERS]
            ending = "Failed"
        except Exception:
            log.exception("The training job %s could not be run.", job.training_job_name)
            job.failure_reason, ending = "InternalServerError: see the local AWS's log", "Failed"
        if not self._closing.is_set():
            self._end(job, ending)

    def _end(self, job: Job, ending: str) -> None:
        job.training_end_time = now = utcnow()
        if job.training_start_time:
            seconds = int((now - job.training_start_time).total_seconds())
            job.training_time_in_seconds = job.billable_time_in_seconds = seconds
        status = "Stopped" if ending == "MaxRuntimeExceeded" else ending
        self.move(job, status, ending)

    def _train(self, backend: SageMakerModelBackend, job: Job) -> str:
        """Download, run, upload; gives the last secondary status."""
        base = self._folder / job.training_job_name
        shutil.rmtree(base, ignore_errors=True)
        for name in ("input", "model", "code", "output"):
            (base / name).mkdir(parents=True)
        self.move(job, "InProgress", "Downloading")
        job.training_start_time = utcnow()
        with self._gate:
            self._download(backend, job, base)
        if job.training_job_status == "Stopping":
            return "Stopped"
        self.move(job, "InProgress", "Training")
        with CheckpointSync(backend.account_id, job, base / "checkpoints", self._gate):
            ending = self._execute(backend, job, base)
        if not self._closing.is_set():
            if ending != "Interrupted":
                self._upload(backend, job, base)
            shutil.rmtree(base)
        return ending

    def _download(self, backend: SageMakerModelBackend, job: Job, base: Path) -> None:
        for channel in job.input_data_config:
            url = channel["DataSource"]["S3DataSource"]["S3Uri"]
            bucket, _, prefix = url.removeprefix("s3://").partition("/")
            keys = s3_backends[backend.account_id]["aws"].get_bucket(bucket).keys
            found = [key for name, key in keys.items() if name.startswith(prefix)]
            if not found:
                raise JobFailedError(
                    f"ClientError: Data download failed:S3 key: {url} matched no files on s3"
                )
            folder = base / "input" / "data" / channel["ChannelName"]
            for key in found:
                path = folder / key.name.removeprefix(prefix).lstrip("/")
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(key.value)
        source = job.hyper_parameters["sagemaker_submit_directory"]
        tarball = find_model_data(backend.account_id, source)
        if tarball is None:
            raise JobFailedError(f"ClientError: nothing is at {source}")
        (base / "code.tar.gz").write_bytes(tarball.value)
        try:
            extract_tarball(base / "code.tar.gz", base / "code")
        except PackagingError as error:
            raise JobFailedError(f"ClientError: {source}: {error}") from error

    def _execute(self, backend: SageMakerModelBackend, job: Job, base: Path) -> str:
        command = [sys.executable, job.hyper_parameters["sagemaker_program"], *_flags(job)]
        process = subprocess.Popen(
            command,
            cwd=base / "code",
            env=_variables(job, base),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        self._running[job.arn] = process
        self._children.add(process.pid)
        expired = threading.Event()

        def expire() -> None:
            expired.set()
            process.terminate()

        limit = threading.Timer(job.stopping_condition["MaxRuntimeInSeconds"], expire)
        limit.start()
        if self._closing.is_set() or job.training_job_status == "Stopping":
            process.terminate()
        tail = self._follow(backend, job, process)
        limit.cancel()
        self._children.discard(process.pid)
        del self._running[job.arn]
        if expired.is_set():
            return "MaxRuntimeExceeded"
        if job.training_job_status == "Stopping" or self._closing.is_set():
            return "Stopped"
        if job.arn in self._interrupted:
            self._interrupted.discard(job.arn)
            return "Interrupted"
        if process.returncode:
            raise JobFailedError(
                f"AlgorithmError: ExecuteUserScriptError:\nExitCode {process.returncode}\n"
                f'ErrorMessage "{"".join(tail)}"\nCommand "{" ".join(command[:2])} ..."'
            )
        return "Completed"

    def _follow(
        self, backend: SageMakerModelBackend, job: Job, process: subprocess.Popen[bytes]
    ) -> list[str]:
        """Write the output to CloudWatch until it ends; gives its last lines."""
        stream = f"{job.training_job_name}/algo-1-{int(time.time())}"
        logs = logs_backends[backend.account_id][backend.region_name]
        tail: list[str] = []
        assert process.stdout is not None  # noqa: S101 - it is a pipe
        with process.stdout:
            for line in process.stdout:
                self._logs.append(logs, GROUP, stream, line)
                tail = [*tail, line.decode("utf-8", "replace")][-TAIL:]
        process.wait()
        return tail

    def _upload(self, backend: SageMakerModelBackend, job: Job, base: Path) -> None:
        if not any((base / "model").iterdir()):
            return
        if job.training_job_status == "InProgress":
            self.move(job, "InProgress", "Uploading")
        tarball = base / "model.tar.gz"
        write_tarball(base / "model", tarball)
        url = (
            f"{job.output_data_config['S3OutputPath']}/{job.training_job_name}/output/model.tar.gz"
        )
        bucket, _, key = url.removeprefix("s3://").partition("/")
        with self._gate:
            s3_backends[backend.account_id]["aws"].put_object(bucket, key, tarball.read_bytes())
            job.model_artifacts = {"S3ModelArtifacts": url}

    def close(self) -> None:
        """End all programs; the jobs stay in progress, for the next start to go on."""
        self._closing.set()
        for process in list(self._running.values()):
            process.kill()
        for thread in self._threads:
            thread.join()


def _terminate(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    timer = threading.Timer(GRACE_SECONDS, process.kill)
    timer.daemon = True
    timer.start()


def _flags(job: Job) -> list[str]:
    """The hyperparameters as the toolkit hands them over: sorted, and read as JSON where they are.

    https://github.com/aws/sagemaker-training-toolkit/blob/master/src/sagemaker_training/mapping.py
    """
    flags: list[str] = []
    for name, text in sorted(job.hyper_parameters.items()):
        if name.startswith("sagemaker_"):
            continue
        try:
            value = str(json.loads(text))
        except ValueError:
            value = text
        flags += [f"--{name}", value]
    return flags


def _variables(job: Job, base: Path) -> dict[str, str]:
    channels = [channel["ChannelName"] for channel in job.input_data_config]
    kept = {name: os.environ[name] for name in PASSED if name in os.environ}
    return {
        **kept,
        "HOME": str(base),
        "PYTHONPATH": str(base / "code"),
        "PYTHONUNBUFFERED": "1",
        "SAGEMAKER_BASE_DIR": str(base),
        "TRAINING_JOB_NAME": job.training_job_name,
        "SM_MODEL_DIR": str(base / "model"),
        "SM_CHANNELS": json.dumps(channels),
        **{f"SM_CHANNEL_{name.upper()}": str(base / "input" / "data" / name) for name in channels},
        **(job.environment or {}),
    }
