"""Our container's server as a process on this machine, over an unpacked `model.tar.gz`.

`package_model` proves a tarball with it, and the local AWS answers InvokeEndpoint with it.
"""

import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType

import requests

SERVER = Path(__file__).parents[1] / "serving" / "server.py"
# Ends the server when its standard input does: with whoever started it, even where that was killed.
PROGRAM = """
import os, runpy, signal, sys, threading

def watch():
    os.read(0, 1)
    os.kill(os.getpid(), signal.SIGTERM)

threading.Thread(target=watch, daemon=True).start()
sys.argv = sys.argv[1:]
runpy.run_path(sys.argv[0], run_name="__main__")
"""
START_SECONDS = 120
ANSWER_SECONDS = 60  # SageMaker Serverless gives up after as long
STOP_SECONDS = 10


class ServingError(RuntimeError):
    """The process did not start or does not answer; the message ends with its last log lines."""


class ServingProcess:
    """A running server for the model unpacked in `model_dir`; use it in a `with` statement."""

    def __init__(self, model_dir: Path, environment: Mapping[str, str] | None = None) -> None:
        self.model_dir = model_dir.resolve()
        self.url = ""
        self._environment = environment or {}
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> "ServingProcess":
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None
    ) -> None:
        self.stop()

    def start(self) -> None:
        """Start the server and wait until it answers.

        Raises:
            ServingError: it ended, or was not ready after `START_SECONDS` seconds.
        """
        # The log is a file, not a pipe: nobody has to drain it.
        self._log = tempfile.NamedTemporaryFile(prefix="serving-", suffix=".log")  # noqa: SIM115
        inherited = {key: os.environ[key] for key in ("PATH", "HOME", "LANG") if key in os.environ}
        try:
            self._process = subprocess.Popen(
                # -P: nothing is imported from the current folder, only what the tarball brings.
                [sys.executable, "-P", "-c", PROGRAM, str(SERVER), "serve"],
                env=inherited
                | dict(self._environment)
                | {
                    "SM_MODEL_DIR": str(self.model_dir),
                    "SERVING_HOST": "127.0.0.1",
                    "SAGEMAKER_BIND_TO_PORT": "0",
                    "HF_HUB_OFFLINE": "1",
                    "OMP_WAIT_POLICY": "PASSIVE",  # spinning threads crawl on a busy machine
                    "PYTHONUNBUFFERED": "1",
                    "PYTHONDONTWRITEBYTECODE": "1",
                },
                cwd=self.model_dir,
                stdin=subprocess.PIPE,
                stdout=self._log,
                stderr=self._log,
            )
            self.url = f"http://127.0.0.1:{self._wait_for_port()}"
        except BaseException:
            self.stop()
            self._log.close()  # there may be no process: its folder can be gone by now
            raise

    def _wait_for_port(self) -> int:
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline:
            listening = re.search(r"listening on port (\d+)", self.log())
            if listening:
                return int(listening[1])
            if not self.is_alive:
                raise ServingError(
                    f"The serving process ended with {self.exit_code}:\n{self.log()}"
                )
            time.sleep(0.05)
        raise ServingError(f"Not ready after {START_SECONDS} s:\n{self.log()}")

    def log(self) -> str:
        """The last lines that the process wrote."""
        return Path(self._log.name).read_text(errors="replace")[-4000:]

    @property
    def is_alive(self) -> bool:
        """Whether the process runs."""
        return self._process is not None and self._process.poll() is None

    @property
    def exit_code(self) -> int | None:
        """What the process ended with; None while it runs, or was never started."""
        return self._process.poll() if self._process else None

    @property
    def pid(self) -> int | None:
        """The process's number; None where it was never started."""
        return self._process.pid if self._process else None

    def invoke(
        self, body: bytes, content_type: str = "application/json", accept: str = "application/json"
    ) -> requests.Response:
        """POST `body` to /invocations and give back the answer, whatever its status.

        Raises:
            ServingError: no answer at all.
        """
        try:
            return requests.post(
                f"{self.url}/invocations",
                data=body,
                headers={"Content-Type": content_type, "Accept": accept},
                timeout=ANSWER_SECONDS,
            )
        except requests.RequestException as error:
            raise ServingError(
                f"No answer from the serving process: {error}\n{self.log()}"
            ) from error

    def stop(self) -> None:
        """End the process, if it was started: SIGTERM, and SIGKILL where that does not suffice."""
        if self._process is None:
            return
        self._process.terminate()
        try:
            self._process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        if self._process.stdin:
            self._process.stdin.close()
        self._log.close()
