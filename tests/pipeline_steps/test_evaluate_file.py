"""Any labelled file is judged like the validation split, however long; a bad one is refused."""

import csv
import tracemalloc
from pathlib import Path

import pytest

from model.data import LABELS, read_splits
from pipeline_steps import evaluate_file
from pipeline_steps.evaluate_file import rows_of
from pipeline_steps.evaluation_artefacts import Evaluation
from pipeline_steps.settings import Settings


def write(path: Path, rows: list[tuple[str, object]]) -> Path:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerows([("sentence", "label"), *rows])
    return path


def judge(settings: Settings, path: Path) -> int:
    return evaluate_file.main(["--build-dir", str(settings.build_dir), "--input", str(path)])


def test_validation_split_has_its_own_figures_again(packaged: Settings, tmp_path: Path) -> None:
    rows = read_splits("demo").validation
    path = write(tmp_path / "mine.csv", [(row.sentence, row.label) for row in rows])
    assert judge(packaged, path) == 0
    folder = packaged.work_dir / "judged" / "mine"
    mine, known = Evaluation.load(folder), Evaluation.load(packaged.work_dir)
    for name in ("rows", "accuracy", "f1", "confusion_matrix", "slices", "calibration", "mistakes"):
        assert getattr(mine, name) == getattr(known, name), name
    assert "accuracy" in (folder / "report.html").read_text(encoding="utf-8")
    lines = (folder / "predictions.csv").read_text().splitlines()
    assert lines[0] == "label,answered,score"
    assert len(lines) == len(rows) + 1


def test_three_rows_have_a_wide_interval(
    packaged: Settings, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows: list[tuple[str, object]] = [("good", "POSITIVE"), ("bad", "negative"), ("fine", 1)]
    assert judge(packaged, write(tmp_path / "three.csv", rows)) == 0
    low, high = Evaluation.load(packaged.work_dir / "judged" / "three").accuracy_interval
    assert high - low > 0.5
    assert f"95 % interval {low:.3f} to {high:.3f}) on 3 rows" in capsys.readouterr().out


def test_file_without_one_class_says_so(
    packaged: Settings, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows: list[tuple[str, object]] = [(f"film {number}", 1) for number in range(20)]
    assert judge(packaged, write(tmp_path / "praise.csv", rows)) == 0
    assert "no row is NEGATIVE" in capsys.readouterr().out
    evaluation = Evaluation.load(packaged.work_dir / "judged" / "praise")
    assert evaluation.per_class["NEGATIVE"]["rows"] == 0


@pytest.mark.parametrize(
    ("rows", "told"),
    [
        ([("good", 1), ("so so", "neutral")], r"the label of row 2 is 'neutral', expected 0 or"),
        ([("good", 1), ("bad", "")], r"the label of row 2 is ''"),
        ([(" ", 1)], r"row 1 has no sentence"),
        ([], r"has no rows, expected at least one"),
    ],
)
def test_bad_file_is_refused_before_anything_is_asked(
    packaged: Settings,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    rows: list[tuple[str, object]],
    told: str,
) -> None:
    assert judge(packaged, write(tmp_path / "bad.csv", rows)) == 3
    assert told in capsys.readouterr().err
    assert not (packaged.work_dir / "judged").exists()


def test_formats_hold_the_same_rows(tmp_path: Path) -> None:
    tables = {
        "a.tsv": 'sentence\tlabel\na "good" film\t1\n',
        "b.csv": 'label,sentence\nPOSITIVE,"a ""good"" film"\n',
        "c.jsonl": '{"sentence": "a \\"good\\" film", "label": 1}\n',
    }
    for name, text in tables.items():
        (tmp_path / name).write_text(text, encoding="utf-8")
        (row,) = rows_of(tmp_path / name)
        assert (row.sentence, LABELS[row.label]) == ('a "good" film', "POSITIVE")


def test_memory_does_not_grow_with_the_file(tmp_path: Path) -> None:
    def peak(count: int) -> int:
        path = write(tmp_path / f"{count}.csv", [(f"a film {n}", n % 2) for n in range(count)])
        tracemalloc.start()
        assert sum(1 for _ in rows_of(path)) == count
        _, most = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        return most

    assert peak(20_000) < peak(2_000) + 200_000
