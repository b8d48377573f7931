"""The files for Docker, as far as they can be read without it."""

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "airflow"
SECRETS = {
    "POSTGRES_PASSWORD", "REDIS_PASSWORD", "AIRFLOW_SECRET_KEY", "AIRFLOW_JWT_SECRET",
    "AIRFLOW_ADMIN_PASSWORD", "AIRFLOW_FERNET_KEY",
}  # fmt: skip


@pytest.fixture(scope="module")
def compose() -> str:
    return (FOLDER / "docker-compose.yaml").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def example() -> dict[str, str]:
    lines = (FOLDER / ".env.example").read_text(encoding="utf-8").splitlines()
    return dict(line.split("=", 1) for line in lines if "=" in line and not line.startswith("#"))


def test_compose_file_is_what_compose_reads() -> None:
    command = [Path(sys.executable).parent / "check-jsonschema"]
    command += ["--builtin-schema", "vendor.compose-spec", FOLDER / "docker-compose.yaml"]
    checked = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert checked.returncode == 0, checked.stdout + checked.stderr


def test_secrets_have_no_default(compose: str, example: dict[str, str]) -> None:
    uses = re.findall(r"\$\{(\w+)(:?[-?]?)", compose)
    assert {name for name, operator in uses if operator == ":?"} == SECRETS
    assert {operator for name, operator in uses if name in SECRETS} == {":?"}
    assert {name for name, value in example.items() if name in SECRETS and not value} == SECRETS


def test_example_names_what_the_compose_file_takes(compose: str, example: dict[str, str]) -> None:
    taken = set(re.findall(r"(?<!\$)\$\{(\w+)", compose))
    # Of further machines only, and told in docs/airflow.md.
    further = {"AIRFLOW_HEAD", "AIRFLOW_INTERNAL_BIND", "AIRFLOW_EXECUTOR"}
    assert taken - further - {"PIPELINE_TRAINING_QUEUE"} == set(example)


def test_services_wait_for_what_is_there(compose: str) -> None:
    services: dict[str, Any] = yaml.safe_load(compose)["services"]
    for name, service in services.items():
        assert set(service.get("depends_on", ())) <= set(services), name
    always = {name for name, service in services.items() if "profiles" not in service}
    assert always == {"postgres", "init", "api-server", "scheduler", "dag-processor"}


def test_image_is_of_the_tested_airflow() -> None:
    (version,) = re.findall(
        r"^apache-airflow==(\S+)", (FOLDER / "requirements.txt").read_text(), re.MULTILINE
    )
    dockerfile = (FOLDER / "Dockerfile").read_text(encoding="utf-8")
    assert f"FROM apache/airflow:{version}-python3.11\n" in dockerfile
    assert f"image: t5-airflow:{version}\n" in (FOLDER / "docker-compose.yaml").read_text()


def test_image_holds_what_is_copied() -> None:
    kept = re.findall(r"^!(\S+)", (FOLDER / "Dockerfile.dockerignore").read_text(), re.MULTILINE)
    assert all((ROOT / path).exists() for path in kept)


def test_image_installs_from_files_that_are_there() -> None:
    dockerfile = (FOLDER / "Dockerfile").read_text(encoding="utf-8")
    before, _, after = dockerfile.partition("RUN python -m venv")
    patterns = re.findall(r"\S+\.txt", " ".join(re.findall(r"^COPY (.*)", before, re.MULTILINE)))
    kept = re.findall(r"^!(\S+)", (FOLDER / "Dockerfile.dockerignore").read_text(), re.MULTILINE)
    copied = {
        str(path.relative_to(ROOT))
        for pattern in patterns
        for path in ROOT.glob(pattern)
        if {str(path.relative_to(ROOT)), str(path.relative_to(ROOT).parts[0])} & set(kept)
    }
    (wanted,) = re.findall(r"install \S+ -r (\S+)", after)
    todo = [wanted]
    for name in todo:
        assert name in copied
        text = (ROOT / name).read_text(encoding="utf-8")
        todo += re.findall(r"^-[rc] (\S+)", text, re.MULTILINE)
    assert len(todo) > 3
