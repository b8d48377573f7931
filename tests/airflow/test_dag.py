"""The DAG imports in silence, and its form takes what the steps take."""

import json
import subprocess
import tomllib
from pathlib import Path

import pytest
import yaml

from pipeline_steps import settings as settings_module
from pipeline_steps import step
from tests.airflow.airflow_server import PYTHON, ROOT, AirflowServer

DAG = "dags/t5_mlops_pipeline"
STEPS = ["check_data", "train_or_reuse", "train", "export", "evaluate", "package_model"]
SHIPPING = ["deploy_endpoint", "create_api", "smoke_test", "create_alarms"]


def in_airflow(code: str, folder: Path) -> str:
    """What `code` prints in Airflow's environment, where a warning is an error."""
    ran = subprocess.run(
        [str(PYTHON), "-W", "error", "-c", code],
        env={"AIRFLOW_HOME": str(folder), "PYTHONPATH": str(ROOT / "airflow" / "dags")},
        capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert ran.returncode == 0, ran.stderr
    return ran.stdout


def test_dag_imports_without_a_warning(tmp_path: Path) -> None:
    in_airflow("import t5_mlops_pipeline", tmp_path)


def test_outputs_are_read_as_a_workflow_reads_them(tmp_path: Path) -> None:
    outputs = tmp_path / "outputs"
    outputs.write_text("detail=a=b\nerror<<end-1\nfirst = 1\nsecond\nend-1\nstatus=done\n")
    code = (
        "import pathlib, t5_steps; "
        f"print(t5_steps.parse_outputs(pathlib.Path({str(outputs)!r}).read_text()))"
    )
    expected = {"detail": "a=b", "error": "first = 1\nsecond", "status": "done"}
    assert in_airflow(code, tmp_path).strip() == repr(expected)


def test_links_lead_to_the_consoles_and_the_api(tmp_path: Path) -> None:
    release = {"endpoint_name": "t5", "model_data_url": "s3://models/t5/1/2/model.tar.gz"}
    (tmp_path / "release.json").write_text(json.dumps(release))
    (tmp_path / "api.json").write_text('{"api_url": "https://api.example.com"}')
    code = (
        "import os, json, pathlib, t5_steps; os.environ['AWS_REGION'] = 'eu-west-1'; "
        f"print(json.dumps(t5_steps.urls(pathlib.Path({str(tmp_path)!r}))))"
    )
    console = "https://eu-west-1.console.aws.amazon.com"
    assert json.loads(in_airflow(code, tmp_path)) == {
        "Endpoint": f"{console}/sagemaker/home?region=eu-west-1#/endpoints/t5",
        "Report": f"{console}/s3/object/models?region=eu-west-1&prefix=t5/1/2/evaluation.json",
        "API": "https://api.example.com",
    }


def test_every_step_is_a_task(server: AirflowServer) -> None:
    assert server.get("importErrors")["total_entries"] == 0
    assert server.get("dagWarnings")["total_entries"] == 0
    found = {task["task_id"] for task in server.get(f"{DAG}/tasks")["tasks"]}
    ships = {f"{where}.{step}" for where in ("staging", "production") for step in SHIPPING}
    assert found == {*STEPS, *ships, "report", "notify"}
    assert server.get(DAG)["is_paused"] is False


def test_one_training_at_a_time(server: AirflowServer) -> None:
    assert server.get("pools/t5_training")["slots"] == 1
    assert server.get(f"{DAG}/tasks/train")["pool"] == "t5_training"


def test_form_offers_the_profiles(server: AirflowServer) -> None:
    params = server.get(f"{DAG}/details")["params"]
    profiles = list(tomllib.loads((ROOT / "pipeline.toml").read_text(encoding="utf-8")))
    assert params["profile"]["schema"]["enum"] == profiles
    assert all(param["description"] for param in params.values())


def test_form_starts_as_the_dispatch_of_the_workflow_does(tmp_path: Path) -> None:
    retrain = yaml.safe_load((ROOT / ".github" / "workflows" / "retrain.yml").read_text())
    inputs = retrain[True]["workflow_dispatch"]["inputs"]  # YAML 1.1 reads `on` as true
    code = (
        "import json, t5_mlops_pipeline as dag; "
        "print(json.dumps({name: [param.value, param.schema.get('enum')] "
        "for name, param in dag.PARAMS.items()}))"
    )
    form = json.loads(in_airflow(code, tmp_path))
    assert set(form) == set(inputs)
    for name in set(form) - {"compute"}:  # here a worker's, there a runner's
        assert (form[name][0] or "") == inputs[name]["default"], name
    for name in ("deploy", "reinforce"):
        # In YAML 1.1 a bare on or off is a truth value, so the workflow quotes them.
        assert form[name][1] == inputs[name]["options"], name


@pytest.mark.parametrize("why", ["its successor is in training; --profile sst2", "", None])
def test_reason_in_the_form_reaches_the_gate(tmp_path: Path, why: str | None) -> None:
    code = (
        "import json, t5_mlops_pipeline as dag, t5_steps; "
        "form = {name: param.value for name, param in dag.PARAMS.items()}; "
        f"print(json.dumps(t5_steps.flags(form | {{'profile': 'demo', 'override': {why!r}}})))"
    )
    flags = json.loads(in_airflow(code, tmp_path))
    parsed = step.parser_with_flags(None, "evaluate").parse_args(flags)
    assert settings_module.from_flags(parsed).gate.override == (why or "")


@pytest.mark.parametrize(
    ("params", "told"),
    [
        ({"profile": "dem0"}, "profile"),
        ({"min_accuracy": 7}, "greater than the maximum of 1"),
        ({"epochs": "many"}, "epochs"),
        ({"deploy": "everywhere"}, "deploy"),
        ({"compute": "abacus"}, "compute"),
    ],
)
def test_bad_value_starts_no_run(
    server: AirflowServer, params: dict[str, object], told: str
) -> None:
    answer = server.trigger(**params)
    assert answer.status_code == 400
    assert told in answer.json()["detail"]
