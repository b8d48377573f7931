"""The candidate: exactly what will ship, and only from the checkpoint that training wrote."""

from pathlib import Path

import pytest

from pipeline_steps import export
from pipeline_steps.artefacts import ExportReport
from pipeline_steps.aws import Clients
from pipeline_steps.errors import TrainingFailedError
from pipeline_steps.files import file_hashes
from pipeline_steps.settings import Settings

ROOT = Path(__file__).parents[2]


def test_candidate_holds_model_and_code(packaged: Settings) -> None:
    report = ExportReport.load(packaged.work_dir)
    candidate = packaged.work_dir / "candidate"
    assert set(report.files) == {
        "model.safetensors", "config.json", "tokenizer.json",
        "code/inference.py", "code/payload.py", "code/runtime_pytorch.py",
        "code/model/__init__.py", "code/model/modeling.py",
    }  # fmt: skip
    assert file_hashes(candidate) == report.files
    shipped = (candidate / "code" / "inference.py").read_bytes()
    assert shipped == (ROOT / "serving" / "inference.py").read_bytes()


def test_same_checkpoint_is_not_exported_twice(packaged: Settings) -> None:
    assert export.run(packaged, Clients()).status == "reused"


def test_changed_candidate_is_made_again(packaged: Settings) -> None:
    path = packaged.work_dir / "candidate" / "code" / "inference.py"
    whole = path.read_bytes()
    path.write_bytes(b"import os\n")
    assert export.run(packaged, Clients()).status == "done"
    assert path.read_bytes() == whole


@pytest.mark.parametrize("damage", ["cut", "gone"])
def test_damaged_checkpoint_is_refused(packaged: Settings, damage: str) -> None:
    path = packaged.work_dir / "checkpoint" / "model.safetensors"
    if damage == "cut":
        path.write_bytes(path.read_bytes()[:1000])
    else:
        path.unlink()
    before = file_hashes(packaged.work_dir / "candidate")
    with pytest.raises(TrainingFailedError, match=r"model\.safetensors is not the file that train"):
        export.run(packaged, Clients())
    assert file_hashes(packaged.work_dir / "candidate") == before
