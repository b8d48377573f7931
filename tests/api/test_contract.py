"""The live API keeps its contract, as schemathesis reads it: a tool that knows neither of them.

It takes the contract from the API, sends the examples, each edge of each schema, what breaks the
schemas, methods that are not there, and random requests of both kinds. All its checks are on: no
5xx, no status, type, body or header that the contract does not tell, nothing valid refused and
nothing invalid taken.
"""

import re
import subprocess
import sys
from pathlib import Path

import jsonschema
import pytest
from openapi_spec_validator import OpenAPIV31SpecValidator

from tests.api.conftest import LiveApi

CONFIG = Path(__file__).with_name("schemathesis.toml")
DOCS = Path(__file__).parents[2] / "docs" / "api.md"


def test_contract_is_valid_openapi(live: LiveApi) -> None:
    contract = live.ask("GET", "/openapi.json").json()
    assert contract["openapi"].startswith("3.1.")
    OpenAPIV31SpecValidator(contract).validate()


def test_examples_of_answers_are_of_their_schemas(live: LiveApi) -> None:
    contract = live.ask("GET", "/openapi.json").json()
    named = contract["components"]["responses"].values()
    operations = [operation for path in contract["paths"].values() for operation in path.values()]
    inline = [answer for operation in operations for answer in operation["responses"].values()]
    checked = 0
    for content in [answer.get("content", {}) for answer in (*named, *inline)]:
        for media in content.values():
            examples = [item["value"] for item in media.get("examples", {}).values()]
            for example in [*examples, *([media["example"]] if "example" in media else [])]:
                # The schemas refer to each other by their place in the whole.
                whole = {**media["schema"], "components": contract["components"]}
                jsonschema.validate(example, whole, jsonschema.Draft202012Validator)
                checked += 1
    assert checked >= 12


def test_docs_explain_each_status_of_the_contract(live: LiveApi) -> None:
    contract = live.ask("GET", "/openapi.json").json()
    operations = [operation for path in contract["paths"].values() for operation in path.values()]
    statuses = {status for operation in operations for status in operation["responses"]}
    cells = re.findall(r"^\| ([\d, ]+) \|", DOCS.read_text(encoding="utf-8"), re.MULTILINE)
    told = {status for cell in cells for status in cell.split(", ")}
    # Other paths and methods are not in the contract.
    assert told == statuses - {"200"} | {"404", "405"}


@pytest.mark.parametrize(
    ("guard", "status"),
    [
        ({"authorizer": "iam"}, 403),
        ({"authorizer": "jwt", "jwt_issuer": "http://127.0.0.1:9", "jwt_audience": "me"}, 401),
    ],
)
def test_guarded_api_refuses_as_the_contract_says(
    live: LiveApi, guard: dict[str, str], status: int
) -> None:
    contract = live.ask("GET", "/openapi.json").json()
    with live.with_settings(**guard):
        refused = live.predict("fine")
        assert live.ask("GET", "/").status_code == 200  # the page stays open
    assert refused.status_code == status
    told = contract["paths"]["/predict"]["post"]["responses"][str(status)]["$ref"]
    response = contract["components"]["responses"][told.rpartition("/")[2]]
    assert set(response["headers"]) <= set(refused.headers)
    assert list(refused.json()) == ["message"]


def test_live_api_keeps_its_contract(live: LiveApi, tmp_path: Path) -> None:
    tool = str(Path(sys.executable).with_name("st"))
    command = [tool, "--config-file", str(CONFIG), "run", f"{live.url}/openapi.json"]
    run = subprocess.run(
        [*command, "--checks", "all"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=250,
        check=False,
    )
    assert run.returncode == 0, run.stdout[-8000:] + run.stderr
    assert "Selected: 4/4" in run.stdout, run.stdout
    assert "Tested: 4" in run.stdout, run.stdout
