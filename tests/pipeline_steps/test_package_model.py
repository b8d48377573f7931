"""The tarball: reproducible, proven, and never half there."""

import dataclasses
from pathlib import Path

import pytest

from pipeline_steps import package_model
from pipeline_steps.aws import Clients
from pipeline_steps.errors import GateNotMetError, PackagingError
from pipeline_steps.evaluation_artefacts import Evaluation, GoldenAnswer
from pipeline_steps.files import file_hash, file_hashes
from pipeline_steps.model_artefacts import Manifest
from pipeline_steps.setting_groups import GateSettings
from pipeline_steps.settings import Settings


def test_manifest_tells_where_the_model_is_from(packaged: Settings) -> None:
    manifest = Manifest.load(packaged.work_dir)
    evaluation = Evaluation.load(packaged.work_dir)
    assert manifest.tarball_sha256 == file_hash(packaged.work_dir / "model.tar.gz")
    assert manifest.data_hash == evaluation.data_hash
    assert manifest.metrics["accuracy"] == evaluation.accuracy
    packed = file_hashes(packaged.work_dir / "candidate")
    assert {name: manifest.files[name] for name in packed} == packed
    assert manifest.settings["training"]["max_steps"] == 25
    assert set(manifest.trained_at) == set(manifest.exported_at) == {"commit", "dirty"}


def test_same_candidate_gives_the_same_tarball(packaged: Settings) -> None:
    assert package_model.run(packaged, Clients()).status == "reused"
    before = Manifest.load(packaged.work_dir)
    (packaged.work_dir / "model.tar.gz").unlink()
    assert package_model.run(packaged, Clients()).status == "done"
    assert Manifest.load(packaged.work_dir) == before


def test_model_below_the_bar_is_not_packaged(packaged: Settings) -> None:
    strict = dataclasses.replace(packaged, gate=GateSettings(min_accuracy=1.0))
    with pytest.raises(GateNotMetError, match=r"below the bar of 1\.000"):
        package_model.run(strict, Clients())


def test_tarball_cut_short_is_made_again(packaged: Settings) -> None:
    tarball = packaged.work_dir / "model.tar.gz"
    whole = tarball.read_bytes()
    tarball.write_bytes(whole[:-100])
    assert package_model.run(packaged, Clients()).status == "done"
    assert tarball.read_bytes() == whole


def test_full_disk_leaves_the_old_tarball(packaged: Settings) -> None:
    tarball = packaged.work_dir / "model.tar.gz"
    tarball.write_bytes(b"the one of before")
    # /dev/full answers every write as a full disk does
    (packaged.work_dir / ".model.tar.gz.tmp").symlink_to("/dev/full")
    with pytest.raises(PackagingError, match=r"No space left on device.*Free some space"):
        package_model.run(packaged, Clients())
    assert tarball.read_bytes() == b"the one of before"
    assert not (packaged.work_dir / ".model.tar.gz.tmp").is_symlink()


def test_tarball_that_answers_otherwise_is_refused(packaged: Settings) -> None:
    evaluation = Evaluation.load(packaged.work_dir)
    first = evaluation.golden[0]
    wrong = GoldenAnswer(first.text, first.label, first.score - 0.02)
    golden = [wrong, *evaluation.golden[1:]]
    dataclasses.replace(evaluation, golden=golden).save(packaged.work_dir)
    (packaged.work_dir / "model.tar.gz").unlink()
    with pytest.raises(PackagingError, match="unpacked tarball answers otherwise"):
        package_model.run(packaged, Clients())
    assert not (packaged.work_dir / "model.tar.gz").exists()


def test_candidate_changed_after_evaluation_is_refused(packaged: Settings) -> None:
    (packaged.work_dir / "model.tar.gz").unlink()
    path: Path = packaged.work_dir / "candidate" / "config.json"
    path.write_bytes(path.read_bytes() + b"\n")
    with pytest.raises(PackagingError, match="candidate/ is not what export wrote"):
        package_model.run(packaged, Clients())
