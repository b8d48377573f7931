"""A real Airflow with this repository's DAG, on a local AWS, and its REST API."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import requests

ROOT = Path(__file__).parents[2]
PYTHON = ROOT / ".venv-airflow" / "bin" / "python"
START_SECONDS = 300
RUN_SECONDS = 600
QUICK = "--vocab-size 600 --max-steps 25 --evaluations-per-epoch 1"
KEPT = ("PATH", "HOME", "LANG", "TMPDIR", "OMP_WAIT_POLICY")


class AirflowServer:
    """What a client sees of it, and the folder that the steps share."""

    def __init__(self, url: str, password: str, build: Path) -> None:
        self.url, self.password, self.build = url, password, build
        self._session = requests.Session()
        login = {"username": "admin", "password": password}
        token = requests.post(f"{url}/auth/token", json=login, timeout=60)
        token.raise_for_status()
        self._session.headers["Authorization"] = f"Bearer {token.json()['access_token']}"

    def get(self, path: str) -> Any:
        """What the REST API has at `path`."""
        answer = self._session.get(f"{self.url}/api/v2/{path}", timeout=60)
        answer.raise_for_status()
        return answer.json()

    def trigger(self, **params: Any) -> requests.Response:
        """Ask for a run with these values in the form."""
        body = {"logical_date": None, "conf": params}
        url = f"{self.url}/api/v2/dags/t5_mlops_pipeline/dagRuns"
        return self._session.post(url, json=body, timeout=60)

    def start(self, **params: Any) -> str:
        """Trigger a run; gives its id."""
        answer = self.trigger(**params)
        assert answer.ok, answer.text
        run_id: str = answer.json()["dag_run_id"]
        return run_id

    def finish(self, run_id: str) -> str:
        """Wait for the end of a run; gives its state."""
        deadline = time.monotonic() + RUN_SECONDS
        while time.monotonic() < deadline:
            state: str = self.get(f"dags/t5_mlops_pipeline/dagRuns/{run_id}")["state"]
            if state in ("success", "failed"):
                return state
            time.sleep(1)
        raise TimeoutError(f"{run_id} after {RUN_SECONDS} s: {self.states(run_id)}")

    def tasks(self, run_id: str) -> dict[str, dict[str, Any]]:
        """The task instances of a run by their ids."""
        found = self.get(f"dags/t5_mlops_pipeline/dagRuns/{run_id}/taskInstances?limit=100")
        return {task["task_id"]: task for task in found["task_instances"]}

    def states(self, run_id: str) -> dict[str, str]:
        """How each task of a run stands."""
        return {name: task["state"] for name, task in self.tasks(run_id).items()}


@contextmanager
def running(folder: Path, ports: list[int], smtp_port: int) -> Iterator[AirflowServer]:
    """Start Airflow as `make airflow` does, and end it with all that it started."""
    environment = {name: os.environ[name] for name in KEPT if name in os.environ} | {
        "PIPELINE_PROFILE": "demo",
        "PIPELINE_DEPLOY": "production",
        "PIPELINE_BUILD_DIR": str(folder / "build"),
        "PIPELINE_FLAGS": f"{QUICK} --smtp-port {smtp_port} --smtp-tls false",
        "MAIL_TO": "team@example.com",
        "MAIL_FROM": "airflow@example.com",
        "SMTP_HOST": "127.0.0.1",
    }
    command = [sys.executable, "-m", "local_aws", "run", "--state", str(folder / "aws")]
    command += ["--api-port", str(ports[1]), "--", str(PYTHON), "airflow/standalone.py"]
    command += ["--port", str(ports[0]), "--home", str(folder / "home")]
    log = folder / "airflow.log"
    with log.open("wb") as file:
        process = subprocess.Popen(
            command, cwd=ROOT, env=environment, stdout=file, stderr=file, start_new_session=True
        )
    try:
        deadline = time.monotonic() + START_SECONDS
        while "Ctrl-C ends it" not in (said := log.read_text()):
            assert process.poll() is None, said
            assert time.monotonic() < deadline, said
            time.sleep(0.5)
        login = re.search(r"Login: +admin / (\S+)", said)
        assert login, said
        yield AirflowServer(f"http://localhost:{ports[0]}", login[1], folder / "build")
    finally:
        os.killpg(process.pid, signal.SIGINT)  # as Ctrl-C does
        process.wait(120)
        stop = [sys.executable, "-m", "local_aws", "stop", "--state", str(folder / "aws")]
        subprocess.run(stop, cwd=ROOT, check=True, timeout=120)


def outcome_of(build: Path) -> dict[str, Any]:
    """What `run.json` tells of the last run."""
    told: dict[str, Any] = json.loads((build / "demo" / "run.json").read_bytes())
    return told
