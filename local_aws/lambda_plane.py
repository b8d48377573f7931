"""Lambda's data plane: the uploaded zip, run by AWS's own runtime client for Python.

An execution environment is a process of this Python with the zip unpacked. It handles one event
at a time and is kept warm; up to `MAX_ENVIRONMENTS` of a version work side by side.
https://docs.aws.amazon.com/lambda/latest/dg/lambda-runtime-environment.html
"""

import contextlib
import io
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import threading
import uuid
import zipfile
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from moto.awslambda.models import LambdaBackend, LambdaFunction

from local_aws.children import Children
from local_aws.function_logs import MOST_BYTES, FunctionLogs, stream_name
from local_aws.lambda_runtime_api import Message, RuntimeApi

MAX_ENVIRONMENTS = 8  # of one version, at once; more requests wait
INIT_SECONDS = 10.0  # AWS's limit for importing the handler's module
Key = tuple[str, ...]


@dataclass(frozen=True)
class Invocation:
    """How an event went; `function_error` is "Unhandled" where the function failed."""

    payload: bytes
    version: str
    function_error: str | None = None


def _failure(kind: str, text: str, request_id: str = "") -> Message:
    words = f"RequestId: {request_id} Error: {text}" if request_id else text
    return Message("error", json.dumps({"errorType": kind, "errorMessage": words}).encode())


class Environment:
    """One process with the function's code."""

    def __init__(
        self,
        function: LambdaFunction,
        folder: Path,
        variables: dict[str, str],
        children: Children,
        logs: FunctionLogs,
    ) -> None:
        self.folder = folder
        self._function, self._children, self._logs = function, children, logs
        self._stream = stream_name(str(function.version))
        folder.mkdir(parents=True)
        with zipfile.ZipFile(io.BytesIO(function.code_bytes)) as archive:
            archive.extractall(folder)
        self.api = RuntimeApi()
        self._process = subprocess.Popen(
            [sys.executable, "-m", "awslambdaric", str(function.handler)],
            cwd=folder,
            env=variables
            | {
                "AWS_LAMBDA_RUNTIME_API": self.api.address,
                "AWS_LAMBDA_LOG_STREAM_NAME": self._stream,
                "LAMBDA_TASK_ROOT": str(folder),
            },
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,  # so that what it may have started ends with it
        )
        children.add(self._process.pid)
        self.watcher = threading.Thread(target=self._watch, name="lambda")
        self.watcher.start()

    def _watch(self) -> None:
        output: Any = self._process.stdout
        with output:
            for line in iter(lambda: output.readline(MOST_BYTES), b""):
                self._logs.write(self._function, self._stream, line)
        status = self._process.wait()
        self.api.tell(Message("exit", str(status).encode()))

    def initialise(self) -> Message | None:
        """Wait until the handler is imported; returns what went wrong, if anything did."""
        try:
            said = self.api.wait_until_ready(INIT_SECONDS)
        except TimeoutError:
            return _failure("Sandbox.Timedout", f"Init timed out after {INIT_SECONDS:.2f} seconds")
        if said.kind == "exit":
            return self._exited(said, "")
        return None if said.kind == "next" else said

    def handle(self, payload: bytes, function_arn: str, seconds: float) -> tuple[Message, bool]:
        """Give it an event; returns the outcome, and whether the environment can be kept."""
        try:
            request_id, outcome = self.api.handle(payload, function_arn, seconds)
        except TimeoutError as timeout:
            text = f"Task timed out after {seconds:.2f} seconds"
            return _failure("Sandbox.Timedout", text, str(timeout)), False
        if outcome.kind == "exit":
            return self._exited(outcome, request_id), False
        return outcome, True

    @staticmethod
    def _exited(message: Message, request_id: str) -> Message:
        text = f"Runtime exited with error: exit status {message.body.decode()}"
        return _failure("Runtime.ExitError", text, request_id)

    def stop(self) -> None:
        """Kill the process, as AWS does, and remove the code."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        # The watcher is not waited for: it may be waiting for the gate that our caller holds.
        self._process.wait()
        self._children.discard(self._process.pid)
        self.api.close()
        shutil.rmtree(self.folder, ignore_errors=True)


@dataclass
class _Pool:
    idle: list[Environment] = field(default_factory=list)
    size: int = 0  # idle and busy
    retired: bool = False


class LambdaPlane:
    """The environments of all functions, by version, code and configuration."""

    def __init__(
        self,
        folder: Path,
        children: Children,
        base_variables: Callable[[], dict[str, str]],
        logs: FunctionLogs,
    ) -> None:
        self._folder, self._children, self._base_variables = folder, children, base_variables
        self._logs = logs
        self._pools: dict[Key, _Pool] = {}
        self._changed = threading.Condition()
        self._all: set[Environment] = set()
        self._threads: list[threading.Thread] = []
        self._closing = False

    def start(self) -> None:
        """Remove what an earlier server left."""
        shutil.rmtree(self._folder, ignore_errors=True)
        self._folder.mkdir(parents=True)

    def resolve(self, backend: LambdaBackend, name: str, qualifier: str | None) -> LambdaFunction:
        """The version that a name or ARN, with an alias or version, means now."""
        function = backend.get_function(name, qualifier)
        aliases = backend._lambdas._get_function_aliases(function.function_name)
        alias = aliases.get(qualifier or name.rpartition(":")[2])
        for version, weight in _weights(alias).items():
            if random.random() < weight:  # noqa: S311 - sharing traffic, not a secret
                return backend.get_function(function.function_name, version)
        return function

    def invoke(self, function: LambdaFunction, invoked_arn: str, payload: bytes) -> Invocation:
        """Run the function on an event and wait for the outcome."""
        version = str(function.version)
        key = _key(function)
        pool, environment = self._acquire(key, function)
        reusable = False
        try:
            failure = None
            if environment is None:
                environment = self._create(function)
                failure = environment.initialise()
            if failure is None:
                seconds = float(function.timeout)
                outcome, reusable = environment.handle(payload, invoked_arn, seconds)
            else:
                outcome = failure
        finally:
            self._release(pool, environment, reusable)
        error = None if outcome.kind == "response" else "Unhandled"
        return Invocation(outcome.body, version, error)

    def invoke_later(self, function: LambdaFunction, invoked_arn: str, payload: bytes) -> None:
        """Run the function in the background; nobody learns the outcome."""
        thread = threading.Thread(target=self.invoke, args=(function, invoked_arn, payload))
        thread.start()
        self._remember(thread)

    def _acquire(self, key: Key, function: LambdaFunction) -> tuple[_Pool, Environment | None]:
        with self._changed:
            while True:
                pool = self._pools.setdefault(key, _Pool())
                if pool.idle:
                    return pool, pool.idle.pop()
                if pool.size < MAX_ENVIRONMENTS:
                    pool.size += 1
                    return pool, None
                self._changed.wait()

    def _create(self, function: LambdaFunction) -> Environment:
        folder = self._folder / f"{function.function_name}-{uuid.uuid4().hex[:12]}"
        variables = self._base_variables() | _variables(function)
        environment = Environment(function, folder, variables, self._children, self._logs)
        self._all.add(environment)
        if self._closing:
            self._stop(environment)
        return environment

    def _release(self, pool: _Pool, environment: Environment | None, reusable: bool) -> None:
        with self._changed:
            keep = reusable and not pool.retired and not self._closing
            if keep and environment:
                pool.idle.append(environment)
            else:
                pool.size -= 1
            self._changed.notify_all()
        if environment and not keep:
            self._stop(environment)

    def _stop(self, environment: Environment) -> None:
        environment.stop()
        self._all.discard(environment)
        self._remember(environment.watcher)

    def _remember(self, thread: threading.Thread) -> None:
        with self._changed:
            self._threads = [old for old in self._threads if old.is_alive()] + [thread]

    def evict(self, backend: LambdaBackend, function_name: str) -> None:
        """Stop the environments that no alias and not $LATEST leads to any more."""
        live = {_key(function) for function in _reachable(backend, function_name)}
        with self._changed:
            gone = [key for key in self._pools if key[0] == function_name and key not in live]
            pools = [self._pools.pop(key) for key in gone]
            for pool in pools:
                pool.retired = True
        for environment in (idle for pool in pools for idle in pool.idle):
            self._stop(environment)

    def close(self) -> None:
        """Stop all environments, the busy ones too."""
        self._closing = True
        for environment in list(self._all):
            self._stop(environment)
        while alive := [thread for thread in self._threads if thread.is_alive()]:
            alive[0].join()


def _key(function: LambdaFunction) -> Key:
    settings = [function.handler, function.environment_vars, function.memory_size, function.timeout]
    return (
        function.function_name,
        str(function.version),
        function.code_sha_256,
        json.dumps(settings, sort_keys=True),
    )


def _reachable(backend: LambdaBackend, name: str) -> list[LambdaFunction]:
    if name not in backend._lambdas._functions:
        return []
    versions = {"$LATEST"}
    for alias in backend.list_aliases(name):
        versions |= {alias.function_version, *_weights(alias)}
    return [backend.get_function(name, version) for version in versions]


def _weights(alias: Any) -> dict[str, float]:
    return ((alias and alias.routing_config) or {}).get("AdditionalVersionWeights", {})


def _variables(function: LambdaFunction) -> dict[str, str]:
    return {
        **function.environment_vars,
        "PATH": os.environ.get("PATH", os.defpath),
        "LANG": "en_US.UTF-8",
        "TZ": ":UTC",
        "PYTHONUNBUFFERED": "1",
        "_HANDLER": str(function.handler),
        "AWS_EXECUTION_ENV": f"AWS_Lambda_{function.run_time}",
        "AWS_LAMBDA_FUNCTION_NAME": function.function_name,
        "AWS_LAMBDA_FUNCTION_VERSION": str(function.version),
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(function.memory_size),
        "AWS_LAMBDA_LOG_GROUP_NAME": function.logs_group_name,
        "AWS_LAMBDA_INITIALIZATION_TYPE": "on-demand",
    }
