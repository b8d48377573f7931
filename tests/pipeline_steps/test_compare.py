"""Two models side by side: the flips are those that were made, each way."""

from pathlib import Path

import pytest

from model.data import read_splits
from pipeline_steps import compare
from pipeline_steps.compare import Comparison
from tests.pipeline_steps import stand_in

ROWS = read_splits("demo").validation


def answers(wrong: set[int]) -> dict[str, int]:
    return {row.sentence: row.label ^ (n in wrong) for n, row in enumerate(ROWS)}


@pytest.fixture
def models(tmp_path: Path) -> tuple[str, str]:
    """A work folder whose model has rows 0 to 2 wrong, and a tarball with 2 to 6 wrong."""
    stand_in.write(tmp_path / "work" / "candidate", "aaaaaaaaaaaa", answers({0, 1, 2}))
    stand_in.tarball(tmp_path / "model.tar.gz", "bbbbbbbbbbbb", answers({2, 3, 4, 5, 6}))
    return str(tmp_path / "work"), str(tmp_path / "model.tar.gz")


def test_flips_are_told_both_ways(
    models: tuple[str, str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    flags = ["--build-dir", str(tmp_path), "--a", models[0], "--b", models[1]]
    assert compare.main(flags) == 0
    made = Comparison.load(tmp_path / "demo")
    assert [flip.text for flip in made.only_a_right] == [ROWS[n].sentence for n in (3, 4, 5, 6)]
    assert [flip.text for flip in made.only_b_right] == [ROWS[n].sentence for n in (0, 1)]
    assert made.p_value == pytest.approx(0.6875)  # 2 of 6, by a coin
    assert made.a.accuracy == pytest.approx(1 - 3 / len(ROWS))
    assert (made.a.model_version, made.b.model_version) == ("aaaaaaaaaaaa", "bbbbbbbbbbbb")
    assert made.b.footprint.megabytes > 0
    told = capsys.readouterr().out
    assert "only A has 4 right, only B 2 (McNemar p = 0.69)" in told
    assert f"only B right, {['NEGATIVE', 'POSITIVE'][ROWS[0].label]}: {ROWS[0].sentence!r}" in told


def test_what_is_no_model_is_refused(
    models: tuple[str, str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    where = ["--build-dir", str(tmp_path), "--b", models[1], "--a"]
    assert compare.main([*where, str(tmp_path / "nowhere")]) == 2
    assert "is no model. Expected a profile that was exported" in capsys.readouterr().err
    (tmp_path / "half.tar.gz").write_bytes(b"no tarball")
    assert compare.main([*where, str(tmp_path / "half.tar.gz")]) == 6
