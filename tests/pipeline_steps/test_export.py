"""The candidate: exactly what will ship, and only from the checkpoint that training wrote."""

import dataclasses
import shutil
from pathlib import Path

import pytest
from safetensors.torch import load_file, save_file

from model import onnx_quantization
from pipeline_steps import export
from pipeline_steps.aws import Clients
from pipeline_steps.errors import TrainingFailedError
from pipeline_steps.files import file_hashes
from pipeline_steps.model_artefacts import ExportReport, TrainingReport
from pipeline_steps.setting_groups import ExportSettings
from pipeline_steps.settings import Settings

ROOT = Path(__file__).parents[2]


def test_candidate_holds_model_and_code(packaged: Settings) -> None:
    report = ExportReport.load(packaged.work_dir)
    candidate = packaged.work_dir / "candidate"
    assert report.runtime == "onnx"
    assert set(report.files) == {
        "model.onnx", "config.json", "tokenizer.json",
        "code/inference.py", "code/payload.py", "code/runtime_onnx.py",
    }  # fmt: skip
    assert file_hashes(candidate) == report.files
    shipped = (candidate / "code" / "inference.py").read_bytes()
    assert shipped == (ROOT / "serving" / "inference.py").read_bytes()


def test_pytorch_candidate_has_the_layout_of_aws_image(candidates: dict[str, Path]) -> None:
    assert set(file_hashes(candidates["pytorch"])) == {
        "model.safetensors", "config.json", "tokenizer.json",
        "code/inference.py", "code/payload.py", "code/runtime_pytorch.py",
        "code/model/__init__.py", "code/model/modeling.py",
    }  # fmt: skip


def test_report_tells_what_int8_costs(packaged: Settings) -> None:
    exact, chosen = ExportReport.load(packaged.work_dir).precisions
    assert (exact.name, chosen.name) == ("fp32", "int8")
    assert set(exact.accuracy) == {"training", "validation"}
    # The file is a third of float32's: a model this small is mostly graph.
    assert chosen.bytes < 0.4 * exact.bytes
    assert chosen.bytes == (packaged.work_dir / "candidate" / "model.onnx").stat().st_size


def test_precision_that_loses_too_much_is_told(
    packaged: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    # GIVEN a measure by which all but float32 loses too much
    monkeypatch.setattr(onnx_quantization, "points_lost", lambda exact, other: 1.0)
    shutil.rmtree(packaged.work_dir / "candidate")
    detail = export.run(packaged, Clients()).detail
    # THEN that ships, and the line tells of int8 what it lost, not of the last that was tried
    exact, int8, *_ = ExportReport.load(packaged.work_dir).precisions
    lost = max(100 * (exact.accuracy[name] - int8.accuracy[name]) for name in exact.accuracy)
    assert detail.startswith("onnx fp32, ")
    limit = packaged.export.max_points_lost
    assert detail.endswith(f"; int8 lost {lost:.2f} points, more than {limit} (max_points_lost)")


def test_same_checkpoint_gives_the_same_bytes(packaged: Settings) -> None:
    before = ExportReport.load(packaged.work_dir)
    shutil.rmtree(packaged.work_dir / "candidate")
    assert export.run(packaged, Clients()).status == "done"
    assert ExportReport.load(packaged.work_dir).files == before.files


def test_other_runtime_is_another_candidate_of_the_same_model(packaged: Settings) -> None:
    before = ExportReport.load(packaged.work_dir)
    other = dataclasses.replace(packaged, export=ExportSettings(runtime="pytorch"))
    assert export.run(other, Clients()).status == "done"
    after = ExportReport.load(packaged.work_dir)
    assert after.model_version == before.model_version
    assert after.candidate_hash != before.candidate_hash


def test_same_checkpoint_is_not_exported_twice(packaged: Settings) -> None:
    assert export.run(packaged, Clients()).status == "reused"


def test_changed_candidate_is_made_again(packaged: Settings) -> None:
    path = packaged.work_dir / "candidate" / "code" / "inference.py"
    whole = path.read_bytes()
    path.write_bytes(b"import os\n")
    assert export.run(packaged, Clients()).status == "done"
    assert path.read_bytes() == whole


def test_other_weights_of_the_same_fingerprint_are_exported(packaged: Settings) -> None:
    # GIVEN a model that was trained again, where training does not repeat bit for bit
    before, checkpoint = ExportReport.load(packaged.work_dir), packaged.work_dir / "checkpoint"
    weights = load_file(checkpoint / "model.safetensors")
    weights["classifier.bias"] = weights["classifier.bias"] + 0.1
    save_file(weights, checkpoint / "model.safetensors", {"format": "pt"})
    trained = TrainingReport.load(checkpoint)
    files = trained.files | file_hashes(checkpoint)
    dataclasses.replace(trained, files={name: files[name] for name in trained.files}).save(
        checkpoint
    )
    # THEN what ships is made of it
    assert export.run(packaged, Clients()).status == "done"
    assert ExportReport.load(packaged.work_dir).files != before.files


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
