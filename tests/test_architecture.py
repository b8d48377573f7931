"""Who may import whom: the rules that keep each room on its own."""

import ast
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
ROOMS = {"model", "pipeline_steps", "local_aws", "serving", "lambda", "bench", "airflow", "tests"}
STEPS = {
    "check_data", "find_checkpoint", "train", "export", "evaluate", "package_model",
    "deploy_endpoint", "create_api", "smoke_test", "notify", "rollback", "teardown",
    "create_alarms", "monitor", "bootstrap", "summary", "report",
}  # fmt: skip
CLOUD = {"boto3", "botocore", "sagemaker", "moto"}


def imports_of(path: Path) -> set[str]:
    """Full names of everything that a file imports, wherever in the file."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.module, f"{path}:{node.lineno}: a relative import"
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
    return names


def files_of(room: str) -> list[Path]:
    return sorted((ROOT / room).rglob("*.py"))


def rooms_in(names: set[str]) -> set[str]:
    return {name.split(".")[0] for name in names} & ROOMS


@pytest.mark.parametrize("path", files_of("model"), ids=lambda path: path.name)
def test_model_knows_no_cloud_and_no_steps(path: Path) -> None:
    names = imports_of(path)
    assert rooms_in(names) <= {"model"}
    assert not {name.split(".")[0] for name in names} & CLOUD


@pytest.mark.parametrize("path", files_of("pipeline_steps"), ids=lambda path: path.name)
def test_step_imports_no_other_step(path: Path) -> None:
    names = imports_of(path)
    assert rooms_in(names) <= {"model", "pipeline_steps"}
    if path.name != "__main__.py":
        imported = {name.split(".")[1] for name in names if name.startswith("pipeline_steps.")}
        assert not imported & STEPS


@pytest.mark.parametrize("path", files_of("local_aws"), ids=lambda path: path.name)
def test_local_aws_imports_only_leaves(path: Path) -> None:
    names = imports_of(path)
    assert rooms_in(names) <= {"local_aws", "pipeline_steps"}
    imported = {name.split(".")[1] for name in names if name.startswith("pipeline_steps.")}
    assert not imported & STEPS


def test_deployment_roots_stand_alone() -> None:
    for path in files_of("lambda"):
        assert rooms_in(imports_of(path)) == set()
    for path in files_of("serving"):
        # What of model/ travels in the tarball, and nothing else of it.
        of_ours = {name for name in imports_of(path) if name.split(".")[0] in ROOMS}
        assert all(name.startswith("model.modeling") for name in of_ours), path


def test_payload_needs_only_the_standard_library() -> None:
    names = {name.split(".")[0] for name in imports_of(ROOT / "serving" / "payload.py")}
    assert names <= sys.stdlib_module_names


def test_airflow_only_starts_commands() -> None:
    for path in files_of("airflow"):
        assert rooms_in(imports_of(path)) <= {"airflow"}, path


def test_no_step_asks_whether_it_is_local() -> None:
    for path in files_of("pipeline_steps"):
        text = path.read_text(encoding="utf-8")
        assert "AWS_ENDPOINT_URL" not in text, path
        assert "localhost" not in text, path


def test_only_packages_have_an_init_file() -> None:
    for room in ("model", "pipeline_steps", "local_aws"):
        assert (ROOT / room / "__init__.py").is_file()
    for room in ("serving", "lambda", "airflow"):
        assert not (ROOT / room / "__init__.py").exists()


@pytest.mark.parametrize("name", sorted(STEPS))
def test_step_is_a_file_with_run(name: str) -> None:
    tree = ast.parse((ROOT / "pipeline_steps" / f"{name}.py").read_text(encoding="utf-8"))
    functions = {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}
    assert "run" in functions
    assert ast.get_docstring(tree)


@pytest.mark.parametrize("room", ["model", "pipeline_steps", "local_aws", "lambda", "serving"])
def test_importing_touches_nothing_outside(room: str) -> None:
    """No call at a module's top level may read the environment, the disk or the network."""
    touching = {
        "open",
        "print",
        "getenv",
        "client",
        "resource",
        "mkdir",
        "read_text",
        "basicConfig",
    }
    for path in files_of(room):
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            if isinstance(node, ast.Assign | ast.AnnAssign | ast.Expr):
                for call in (call for call in ast.walk(node) if isinstance(call, ast.Call)):
                    name = getattr(call.func, "attr", getattr(call.func, "id", ""))
                    assert name not in touching, f"{path}:{call.lineno} calls {name}"
