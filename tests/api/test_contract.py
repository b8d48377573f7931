"""The live API keeps its contract, as schemathesis reads it: a tool that knows neither of them.

It takes the contract from the API, sends the examples, each edge of each schema, what breaks the
schemas, methods that are not there, and random requests of both kinds. All its checks are on: no
5xx, no status, type, body or header that the contract does not tell, nothing valid refused and
nothing invalid taken.
"""

import subprocess
import sys
from pathlib import Path

from tests.api.conftest import LiveApi

CONFIG = Path(__file__).with_name("schemathesis.toml")


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
