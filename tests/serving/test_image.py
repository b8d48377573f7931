"""The image, as far as it can be held without Docker: its rules, and its command run as there."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

SERVING = Path(__file__).parents[2] / "serving"
WAIT_SECONDS = 60
INFERENCE = """
import payload

class Model:
    version = "0123456789ab"

def model_fn(model_dir):
    return Model()

def input_fn(body, content_type):
    return payload.read(body, content_type)

def predict_fn(request, model):
    return request.answer([{"label": "POSITIVE", "score": 0.75} for _ in request.texts], "v")

def output_fn(answer, accept):
    return payload.write(answer, accept)
"""


def instructions() -> list[tuple[str, str]]:
    """Each instruction of the Dockerfile with its arguments, on one line."""
    text = (SERVING / "Dockerfile").read_text(encoding="utf-8")
    joined = re.sub(r"\\\n\s*", "", re.sub(r"(?m)^#.*\n", "", text))
    return [(word, rest) for word, _, rest in (line.partition(" ") for line in joined.splitlines())]


def arguments_of(instruction: str) -> list[str]:
    return [rest for word, rest in instructions() if word == instruction]


def test_base_is_a_version_to_the_last_digit() -> None:
    (base,) = arguments_of("FROM")
    version = re.fullmatch(r"python:(\d+\.\d+)\.\d+-slim-\w+", base)
    assert version
    # The Python that the project promises at least, and is tested with
    assert version[1] == "3.11"


def test_image_runs_as_nobody_in_particular() -> None:
    (user,) = arguments_of("USER")
    assert re.fullmatch(r"[1-9]\d{3,}:[1-9]\d{3,}", user)
    words = [word for word, _ in instructions()]
    assert words.index("USER") > max(place for place, word in enumerate(words) if word == "RUN")


def test_image_holds_the_code_and_its_requirements_alone() -> None:
    assert arguments_of("COPY") == ["requirements.txt /opt/serving/", "*.py /opt/serving/"]
    assert not arguments_of("ADD")
    ignored = (SERVING / ".dockerignore").read_text(encoding="utf-8").splitlines()
    assert [line for line in ignored if not line.startswith("#")] == [
        "*", "!*.py", "!requirements.txt",
    ]  # fmt: skip


def test_requirements_are_pinned_and_known_to_the_rest() -> None:
    root = SERVING.parent
    constraints = (root / "constraints.txt").read_text(encoding="utf-8").lower().replace("_", "-")
    lines = (SERVING / "requirements.txt").read_text(encoding="utf-8").splitlines()
    pins = [line.split("#")[0].strip().lower() for line in lines if not line.startswith("#")]
    for pin in pins:
        assert re.fullmatch(r"[a-z0-9-]+==[\d.]+", pin)
        assert f"\n{pin}\n" in constraints
    assert "-r serving/requirements.txt" in (root / "requirements.txt").read_text(encoding="utf-8")


def test_commands_are_lists_that_python_can_read() -> None:
    # A shell in between would take the SIGTERM that is meant for the server.
    assert json.loads(arguments_of("ENTRYPOINT")[0]) == ["python", "/opt/serving/server.py"]
    assert json.loads(arguments_of("CMD")[0]) == ["serve"]
    compile(json.loads(arguments_of("HEALTHCHECK")[0].partition("CMD ")[2])[2], "health", "exec")


@pytest.fixture(scope="module")
def python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A fresh environment that holds only what the image installs."""
    folder = tmp_path_factory.mktemp("image") / "venv"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", folder], check=True)
    requirements = str(SERVING / "requirements.txt")
    subprocess.run(
        [sys.executable, "-m", "pip", "--python", folder / "bin" / "python", "install", "--quiet",
         "--disable-pip-version-check", "--requirement", requirements],
        check=True, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    return folder / "bin" / "python"


@pytest.fixture
def image(tmp_path: Path) -> Iterator[Path]:
    """What the image copies, and a model, in folders that nobody may write to."""
    code = tmp_path / "model" / "code"
    code.mkdir(parents=True)
    (code / "inference.py").write_text(INFERENCE, encoding="utf-8")
    shutil.copytree(SERVING, tmp_path / "serving", ignore=shutil.ignore_patterns("__pycache__"))
    folders = [path for path in (tmp_path, *tmp_path.rglob("*")) if path.is_dir()]
    for folder in folders:
        folder.chmod(0o555)
    yield tmp_path
    for folder in folders:
        folder.chmod(0o755)


def test_command_serves_as_in_the_container(python: Path, image: Path, free_port: int) -> None:
    environment = {
        "SM_MODEL_DIR": str(image / "model"), "SAGEMAKER_BIND_TO_PORT": str(free_port),
        "SERVING_HOST": "127.0.0.1", "SERVING_METRICS": "1",
        "PYTHONDONTWRITEBYTECODE": "1", "PYTHONUNBUFFERED": "1",
    }  # fmt: skip
    before = sorted(image.rglob("*"))
    with subprocess.Popen(
        [python, image / "serving" / "server.py", "serve"],
        env=environment, cwd="/", stdout=subprocess.PIPE, text=True, **droppable_to(python, image),
    ) as server:  # fmt: skip
        assert server.stdout
        try:
            assert f"listening on port {free_port}" in server.stdout.readline()
            healthy = json.loads(arguments_of("HEALTHCHECK")[0].partition("CMD ")[2])
            subprocess.run([python, *healthy[1:]], env=environment, check=True, timeout=60)
            answer = requests.post(
                f"http://127.0.0.1:{free_port}/invocations", json={"inputs": "fine"}, timeout=60
            )
            assert answer.json()["predictions"][0]["label"] == "POSITIVE"
        finally:
            server.send_signal(signal.SIGTERM)
        assert server.wait(WAIT_SECONDS) == 0
    assert sorted(image.rglob("*")) == before


def droppable_to(python: Path, image: Path) -> dict[str, int]:
    """The image's own user, where this process may become it and it can reach the files."""
    if os.geteuid() != 0:
        return {}
    user = {"user": 10001, "group": 10001}
    try:
        probe = [python, "-c", "import sys; open(sys.argv[1])", image / "serving" / "server.py"]
        subprocess.run(probe, check=True, stderr=subprocess.DEVNULL, **user)  # type: ignore[call-overload]
    except (PermissionError, subprocess.CalledProcessError):
        return {}
    return user
