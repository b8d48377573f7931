"""AWS's own serving stack as processes on this machine: Multi Model Server and the Hugging Face
inference toolkit, unmodified, which is what the container of runtime pytorch runs.

Needs Java and `make build/aws-stack/.ready`.
"""

import os
import random
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType

import requests

ENVIRONMENT = Path(__file__).parents[1] / "build" / "aws-stack"
START_SECONDS = 180
# Where the toolkit writes its settings; the default lies in a folder that only the image has.
PROGRAM = """
import sys, warnings
warnings.simplefilter("ignore")
from sagemaker_inference import model_server
from sagemaker_huggingface_inference_toolkit import mms_model_server
mms_model_server.MMS_CONFIG_FILE = model_server.MMS_CONFIG_FILE = sys.argv[1]
mms_model_server.start_model_server()
"""


def missing() -> str:
    """What is not installed here, in words; empty where the stack can run."""
    if shutil.which("java") is None:
        return "needs Java 11 or newer (apt-get install default-jre-headless)"
    return "" if (ENVIRONMENT / ".ready").is_file() else "needs `make build/aws-stack/.ready`"


def _free_port() -> int:
    """One that nobody listens on; the server refuses those that the system gives by itself."""
    while True:
        port = random.randrange(20_000, 30_000)  # noqa: S311 - no secret
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) != 0:
                return port


class AwsStack:
    """The stack over an unpacked `model.tar.gz`; use it in a `with` statement."""

    def __init__(self, model_dir: Path, environment: Mapping[str, str]) -> None:
        port = _free_port()
        self.url = f"http://127.0.0.1:{port}"
        self._folder = Path(tempfile.mkdtemp(prefix="aws-stack-"))
        shutil.copytree(model_dir, self._folder / "model")
        folder = str(self._folder)  # in the place of /opt/ml
        self._environment = {
            "PATH": f"{ENVIRONMENT / 'bin'}:{os.environ['PATH']}",
            # Its number of process and its workers' sockets lie there, one server a folder.
            "TMPDIR": folder,
            "TEMP": folder,
            "SAGEMAKER_BASE_DIR": folder,
            "SAGEMAKER_BIND_TO_PORT": str(port),
            "SAGEMAKER_MODEL_SERVER_WORKERS": "1",
            "HF_HUB_OFFLINE": "1",
            "OMP_WAIT_POLICY": "PASSIVE",
            **{name: value.replace("/opt/ml", folder) for name, value in environment.items()},
        }
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        """The number of the process that has started all others."""
        assert self._process is not None  # noqa: S101 - asked inside the `with` block
        return self._process.pid

    def __enter__(self) -> "AwsStack":
        self._log = (self._folder / "log").open("wb")
        self._process = subprocess.Popen(
            [str(ENVIRONMENT / "bin" / "python"), "-c", PROGRAM, str(self._folder / "mms")],
            env=self._environment,
            cwd=self._folder,
            stdout=self._log,
            stderr=self._log,
            start_new_session=True,
        )
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None
    ) -> None:
        # It starts Java and a worker, which outlive it unless the whole group is ended.
        os.killpg(self.pid, signal.SIGKILL)
        assert self._process is not None  # noqa: S101
        self._process.wait()
        self._log.close()
        shutil.rmtree(self._folder, ignore_errors=True)

    def log(self) -> str:
        """The last lines that its processes wrote."""
        return (self._folder / "log").read_text(errors="replace")[-4000:]

    def first_answer(self, body: bytes) -> requests.Response:
        """Ask until it answers; /ping says 200 before the model is loaded.

        Raises:
            RuntimeError: no answer in time; the message holds the log.
        """
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline and "Model server stopped" not in self.log():
            try:
                answer = self.invoke(body)
                if answer.status_code not in (404, 503):
                    return answer
            except requests.ConnectionError:
                pass
            time.sleep(0.02)
        raise RuntimeError(f"No answer, or none after {START_SECONDS} s:\n{self.log()}")

    def invoke(self, body: bytes) -> requests.Response:
        """POST `body` to /invocations."""
        headers = {"Content-Type": "application/json"}
        return requests.post(f"{self.url}/invocations", body, headers=headers, timeout=60)
