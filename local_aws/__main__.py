"""AWS on this machine, for a command or until Ctrl-C.

python -m local_aws run -- COMMAND...    a server in the background, COMMAND on it
python -m local_aws serve                a server in the foreground, with its APIs' URLs
python -m local_aws stop                 end the background server
"""

import argparse
import logging
import os
import signal
import subprocess
import sys
import threading
import time
import webbrowser
from pathlib import Path
from typing import Any

import requests

from local_aws import lock
from pipeline_steps.errors import ConfigurationError, PipelineError

START_SECONDS = 60
STOP_SECONDS = 60
KEEP_ALIVE_SECONDS = 30.0  # while a command runs, its server must not end for want of requests
EXAMPLE_BODY = '{"inputs": "a wonderful film"}'
log = logging.getLogger("local_aws")


def main(arguments: list[str] | None = None) -> int:
    """Run the command line; returns the exit code."""
    options = _parser().parse_args(arguments)
    options.state = options.state.resolve()
    try:
        return int(options.act(options))
    except PipelineError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code


def _parser() -> argparse.ArgumentParser:
    shared = argparse.ArgumentParser(add_help=False)
    shared.add_argument(
        "--state", type=Path, default=Path("build/local_aws"), help="folder (default: %(default)s)"
    )
    starting = argparse.ArgumentParser(add_help=False)
    starting.add_argument(
        "--port", type=int, default=0, help="of the control plane (default: any free one)"
    )
    starting.add_argument(
        "--api-port",
        type=int,
        help="of the first HTTP API, the others follow (default: as before, at first 8000)",
    )
    starting.add_argument(
        "--linger",
        type=float,
        default=900,
        help="seconds without a request after which a background server ends by itself; "
        "0 for never (default: %(default)s)",
    )
    parser = argparse.ArgumentParser(
        prog="python -m local_aws", description="AWS on this machine; no account, no Docker."
    )
    verbs = parser.add_subparsers(required=True, metavar="run | serve | stop")
    run = verbs.add_parser(
        "run",
        parents=[shared, starting],
        help="run a command on a background server, started if there is none",
    )
    run.add_argument("command", nargs=argparse.REMAINDER, metavar="-- COMMAND...")
    run.set_defaults(act=_run)
    serve = verbs.add_parser(
        "serve", parents=[shared, starting], help="serve in the foreground until Ctrl-C"
    )
    serve.add_argument(
        "--background", action="store_true", help="as `run` starts it: quiet, and ends by --linger"
    )
    serve.add_argument("--no-browser", action="store_true", help="do not open the first API's page")
    serve.set_defaults(act=_serve)
    stop = verbs.add_parser("stop", parents=[shared], help="end the background server")
    stop.set_defaults(act=_stop)
    return parser


def _run(options: argparse.Namespace) -> int:
    command = options.command[1:] if options.command[:1] == ["--"] else options.command
    if not command:
        raise ConfigurationError("No command. Write it after `--`: local_aws run -- COMMAND...")
    server = _find_or_start(options)
    with lock.in_use(options.state):
        return _run_on(server, command)


def _run_on(server: dict[str, Any], command: list[str]) -> int:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    try:
        process = subprocess.Popen(command, env=kept | server["environment"])
    except OSError as error:
        print(f"error: cannot run {command[0]!r}: {error.strerror}", file=sys.stderr)
        return 127
    signal.signal(signal.SIGTERM, lambda *_: process.terminate())
    while True:
        try:
            status = process.wait(KEEP_ALIVE_SECONDS)
        except subprocess.TimeoutExpired:
            _answers(server)
        except KeyboardInterrupt:
            continue  # the command got it as well, and decides
        else:
            return status if status >= 0 else 128 - status


def _answers(server: dict[str, Any] | None) -> bool:
    if server is None:
        return False
    try:
        return requests.get(f"{server['endpoint_url']}/_local_aws/health", timeout=5).ok
    except requests.RequestException:
        return False


def _find_or_start(options: argparse.Namespace) -> dict[str, Any]:
    options.state.mkdir(parents=True, exist_ok=True)
    log_path = options.state / "server.log"
    deadline = time.monotonic() + START_SECONDS
    process, log_start = None, 0
    while time.monotonic() < deadline:
        server = lock.read(options.state)
        if server and _answers(server):
            return server
        if process is None and not lock.is_held(options.state):
            log_start = log_path.stat().st_size if log_path.exists() else 0
            process = _start_background(options, log_path)
        # A child that found the lock taken has lost a race: the winner is about to answer.
        if process and process.poll() is not None and not lock.is_held(options.state):
            _explain_death(process.returncode, log_path, log_start)
        time.sleep(0.05)
    raise PipelineError(f"No local AWS after {START_SECONDS} s. See {log_path}.")


def _start_background(options: argparse.Namespace, log_path: Path) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "local_aws", "serve", "--background"]
    command += ["--state", str(options.state), "--port", str(options.port)]
    command += ["--linger", str(options.linger)]
    if options.api_port is not None:
        command += ["--api-port", str(options.api_port)]
    with log_path.open("ab") as log_file:
        return subprocess.Popen(
            command,
            cwd=Path(__file__).parents[1],
            stdin=subprocess.DEVNULL,
            stdout=log_file,
            stderr=log_file,
            start_new_session=True,
        )


def _explain_death(status: int, log_path: Path, log_start: int) -> None:
    with log_path.open("rb") as file:
        file.seek(log_start)
        lines = file.read().decode(errors="replace").splitlines()
    if status == ConfigurationError.exit_code and lines:
        raise ConfigurationError(lines[-1].removeprefix("error: "))
    tail = "\n".join(lines[-15:])
    raise PipelineError(f"The local AWS ended with {status} before it answered:\n{tail}")


def _serve(options: argparse.Namespace) -> int:
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        del os.environ[name]  # a profile that is not here would stop boto3
    from local_aws.server import LocalAws  # noqa: PLC0415 - moto takes a second to import

    stopping = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopping.set())
    running = lock.read(options.state)
    if running and running["background"] and not options.background:
        _refuse_if_used(options.state)
        _end(options.state, running["pid"])
    options.state.mkdir(parents=True, exist_ok=True)
    _log_to(None if options.background else options.state / "server.log")
    with LocalAws(
        options.state, port=options.port, api_port=options.api_port, background=options.background
    ) as aws:
        if options.background:
            _wait_for_silence(aws, options.linger, stopping)
        else:
            _show_apis(aws, stopping, opens=not options.no_browser and _has_desktop())
    return 0


def _log_to(path: Path | None) -> None:
    handlers: list[logging.Handler] = [logging.StreamHandler()]
    if path:
        handlers.append(logging.FileHandler(path))
    form = "%(asctime)s %(levelname)s %(message)s"
    logging.basicConfig(level=logging.WARNING, format=form, handlers=handlers)
    log.setLevel(logging.INFO)


def _wait_for_silence(aws: Any, linger: float, stopping: threading.Event) -> None:
    log.info("serving at %s", aws.endpoint_url)
    while not stopping.wait(min(1.0, linger / 4 or 1.0)):
        if linger and aws.idle_seconds > linger:
            log.info("nobody asked for anything in %g s; ending", linger)
            return
    log.info("asked to end")


def _has_desktop() -> bool:
    """Whether a person sits here who sees a browser: not in CI, nor over a plain SSH."""
    has_display = sys.platform == "darwin" or any(
        map(os.environ.get, ("DISPLAY", "WAYLAND_DISPLAY"))
    )
    return sys.stdout.isatty() and has_display


def _show_apis(aws: Any, stopping: threading.Event, opens: bool) -> None:
    print(f"Local AWS at {aws.endpoint_url}, state in {aws.state}. Ctrl-C ends it.")
    if not aws.apis():
        print("No HTTP API yet; its URL will appear here.")
    shown: dict[str, str] = {}
    while not stopping.wait(0.2):
        for name, url in aws.apis().items():
            if shown.get(name) != url:
                print(f"\n{name}: {url}")
                print(
                    f"  curl -s {url}/predict -H 'content-type: application/json' "
                    f"-d '{EXAMPLE_BODY}'"
                )
                print(f"  or in a browser: {url}/", flush=True)
                if opens and not shown:
                    webbrowser.open(url)
            shown[name] = url
    print()


def _stop(options: argparse.Namespace) -> int:
    server = lock.read(options.state)
    if server is None:
        print(f"No local AWS is running on {options.state}.")
        return 0
    if not server["background"]:
        raise ConfigurationError(
            f"The local AWS on {options.state} runs in the foreground (process {server['pid']}). "
            "Press Ctrl-C there."
        )
    _refuse_if_used(options.state)
    _end(options.state, server["pid"])
    print("Stopped.")
    return 0


def _refuse_if_used(state: Path) -> None:
    if lock.is_in_use(state):
        raise ConfigurationError(
            f"A command is running on the local AWS in {state}. Wait until it has ended."
        )


def _end(state: Path, pid: int) -> None:
    # The lock is held, so this number is still the server's.
    os.kill(pid, signal.SIGTERM)
    deadline = time.monotonic() + STOP_SECONDS
    while lock.is_held(state):
        if time.monotonic() > deadline:
            raise PipelineError(f"Process {pid} did not end within {STOP_SECONDS} s.")
        time.sleep(0.05)


if __name__ == "__main__":
    sys.exit(main())
