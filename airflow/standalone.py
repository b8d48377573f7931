"""Airflow on this machine until Ctrl-C: a home of its own, this repository's DAG, one login.

    make airflow                     # at http://localhost:8080; AIRFLOW_PORT=8081 for elsewhere

Runs in Airflow's own environment. For development: one user, SQLite, everything on one machine;
`docker-compose.yaml` beside this file is the larger form.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

import psutil  # Airflow brings it

ROOT = Path(__file__).resolve().parents[1]
START_SECONDS = 180
STOP_SECONDS = 15
PASSWORDS = "passwords.json"
POOL = ["t5_training", "1", "One training at a time"]


def main() -> int:
    """Prepare the home, start Airflow, tell where it is, and end it with us."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--port", type=int, default=8080, help="of the UI (default: 8080)")
    parser.add_argument("--home", type=Path, default=ROOT / "build" / "airflow", help="folder")
    options = parser.parse_args()
    home = options.home.resolve()
    home.mkdir(parents=True, exist_ok=True)
    # SIGTERM ends it as Ctrl-C does.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    environment = os.environ | configuration(home, options.port)
    program = str(Path(sys.executable).parent / "airflow")
    log_path = home / "standalone.log"
    print(f"Starting Airflow, which takes a minute; its log is {log_path}", flush=True)
    try:
        with log_path.open("wb") as log:
            for command in (["db", "migrate"], ["pools", "set", *POOL]):
                subprocess.run(
                    [program, *command], env=environment, stdout=log, stderr=log, check=True
                )
            airflow = subprocess.Popen(
                [program, "standalone"],
                env=environment,
                stdout=log,
                stderr=log,
                start_new_session=True,  # Ctrl-C comes to us, and we end it in order
            )
    except subprocess.CalledProcessError as error:
        print(f"error: {' '.join(error.cmd)} failed. See {log_path}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    try:
        return supervise(airflow, home, options.port)
    except KeyboardInterrupt:
        print("\nEnding Airflow ...", flush=True)
        return 0
    finally:
        stop(airflow)


def configuration(home: Path, port: int) -> dict[str, str]:
    """What Airflow is told through its environment, instead of by a configuration file."""
    binaries = str(Path(sys.executable).parent)  # `airflow standalone` starts more of `airflow`
    return {
        "PATH": os.pathsep.join([binaries, os.environ.get("PATH", os.defpath)]),
        "AIRFLOW_HOME": str(home),
        "AIRFLOW__CORE__DAGS_FOLDER": str(ROOT / "airflow" / "dags"),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__CORE__DAGS_ARE_PAUSED_AT_CREATION": "False",
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE": str(home / PASSWORDS),
        "AIRFLOW__API__HOST": "127.0.0.1",
        "AIRFLOW__API__PORT": str(port),
        "AIRFLOW__API__BASE_URL": f"http://localhost:{port}",
        "AIRFLOW__API__WORKERS": "1",
    }


def supervise(airflow: subprocess.Popen[bytes], home: Path, port: int) -> int:
    """Say where Airflow is once all of it is up, and wait for its end."""
    url = f"http://localhost:{port}"
    deadline = time.monotonic() + START_SECONDS
    while airflow.poll() is None and not is_up(url):
        if time.monotonic() > deadline:
            print(
                f"error: Airflow is not up after {START_SECONDS} s. See {home / 'standalone.log'}",
                file=sys.stderr,
            )
            return 1
        time.sleep(1)
    if airflow.poll() is None:
        ((user, password),) = json.loads((home / PASSWORDS).read_text(encoding="utf-8")).items()
        print(f"\nAirflow: {url}/dags/t5_mlops_pipeline")
        print(f"Login:   {user} / {password}")
        print("Ctrl-C ends it.", flush=True)
    status = airflow.wait()
    print(f"error: Airflow ended with {status}. See {home / 'standalone.log'}", file=sys.stderr)
    return 1


def is_up(url: str) -> bool:
    """Whether scheduler, DAG processor and API server all answer."""
    try:
        with urllib.request.urlopen(f"{url}/api/v2/monitor/health", timeout=10) as answer:  # noqa: S310 - http, ours
            health = json.load(answer)
    except (OSError, urllib.error.URLError, ValueError):
        return False
    return all(health[part]["status"] == "healthy" for part in ("scheduler", "dag_processor"))


def stop(airflow: subprocess.Popen[bytes]) -> None:
    """End Airflow and everything that it has started, a running step included."""
    try:
        family = psutil.Process(airflow.pid).children(recursive=True)
    except psutil.NoSuchProcess:
        return
    airflow.send_signal(signal.SIGINT)
    try:
        airflow.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        airflow.kill()
        airflow.wait()
    # A running step has a session of its own, and its task may have gone before it.
    _, left = psutil.wait_procs(family, timeout=1)
    for process in left:
        process.terminate()
    _, left = psutil.wait_procs(left, timeout=STOP_SECONDS)
    for process in left:
        process.kill()


if __name__ == "__main__":
    sys.exit(main())
