"""The image, as far as it can be held without Docker: its rules, and its command run as there."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import requests

from pipeline_steps.evaluation_artefacts import Evaluation
from pipeline_steps.tarball import extract_tarball

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


def test_nothing_enters_that_is_not_pinned() -> None:
    (install,) = (run for run in arguments_of("RUN") if "pip" in run)
    assert install.split() == [
        *("pip", "install", "--no-cache-dir", "--no-deps"),
        *("--requirement", "/opt/serving/requirements.txt"),
    ]


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
         "--disable-pip-version-check", "--no-deps", "--requirement", requirements],
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


@contextmanager
def started(command: list[Any], port: int, **variables: str) -> Iterator[str]:
    """Run the server with an environment of its own, from a folder that is not the checkout."""
    environment = {
        "SAGEMAKER_BIND_TO_PORT": str(port), "SERVING_HOST": "127.0.0.1",
        "PYTHONDONTWRITEBYTECODE": "1", "PYTHONUNBUFFERED": "1", **variables,
    }  # fmt: skip
    with subprocess.Popen(
        [*command, "serve"],
        env=environment, cwd="/", stdout=subprocess.PIPE, text=True, **droppable_to(*command),
    ) as server:  # fmt: skip
        assert server.stdout
        try:
            assert f"listening on port {port}" in server.stdout.readline()
            yield f"http://127.0.0.1:{port}"
        finally:
            server.send_signal(signal.SIGTERM)
        assert server.wait(WAIT_SECONDS) == 0


def test_command_serves_as_in_the_container(python: Path, image: Path, free_port: int) -> None:
    before = sorted(image.rglob("*"))
    command = [python, image / "serving" / "server.py"]
    model = str(image / "model")
    with started(command, free_port, SM_MODEL_DIR=model, SERVING_METRICS="1") as url:
        healthy = json.loads(arguments_of("HEALTHCHECK")[0].partition("CMD ")[2])
        asked = {"SAGEMAKER_BIND_TO_PORT": str(free_port)}
        subprocess.run([python, *healthy[1:]], env=asked, check=True, timeout=60)
        answer = requests.post(f"{url}/invocations", json={"inputs": "fine"}, timeout=60)
        assert answer.json()["predictions"][0]["label"] == "POSITIVE"
    assert sorted(image.rglob("*")) == before


@pytest.mark.parametrize("flavour", ["packaged_once", "packaged_pytorch"])
def test_tarball_needs_nothing_of_the_checkout(
    flavour: str, python: Path, tmp_path: Path, free_port: int, request: pytest.FixtureRequest
) -> None:
    """ONNX with the image's packages alone. PyTorch with ours, as a new torch takes minutes to
    install, but isolated (-I): from neither the checkout nor a variable comes a module."""
    work_dir = request.getfixturevalue(flavour) / "demo"
    extract_tarball(work_dir / "model.tar.gz", tmp_path / "model")
    shutil.copytree(SERVING, tmp_path / "serving", ignore=shutil.ignore_patterns("__pycache__"))
    interpreter = [python] if flavour == "packaged_once" else [Path(sys.executable), "-I"]
    command = [*interpreter, tmp_path / "serving" / "server.py"]
    golden = Evaluation.load(work_dir).golden
    assert len(golden) == 32
    with started(command, free_port, SM_MODEL_DIR=str(tmp_path / "model")) as url:
        assert requests.get(f"{url}/ping", timeout=60).status_code == 200
        texts = [answer.text for answer in golden]
        told = requests.post(f"{url}/invocations", json={"inputs": texts}, timeout=60).json()
    assert [each["label"] for each in told["predictions"]] == [each.label for each in golden]
    scores = [each["score"] for each in told["predictions"]]
    assert scores == pytest.approx([each.score for each in golden], abs=1e-6)


def droppable_to(python: Path, *arguments: Any) -> dict[str, int]:
    """The image's own user, where this process may become it and it can reach the files."""
    if os.geteuid() != 0:
        return {}
    user = {"user": 10001, "group": 10001}
    try:
        probe = [python, "-c", "import sys; open(sys.argv[1])", arguments[-1]]
        subprocess.run(probe, check=True, stderr=subprocess.DEVNULL, **user)  # type: ignore[call-overload]
    except (PermissionError, subprocess.CalledProcessError):
        return {}
    return user
