"""Any labelled file is judged like the validation split, however long; a bad one is refused."""

import csv
import dataclasses
import re
import tracemalloc
from pathlib import Path

import pytest

from model.data import LABELS, read_splits
from pipeline_steps import evaluate_file
from pipeline_steps.evaluate_file import rows_of
from pipeline_steps.evaluation_artefacts import Evaluation
from pipeline_steps.model_artefacts import DataReport
from pipeline_steps.settings import Settings
from tests.pipeline_steps import stand_in


def write(path: Path, rows: list[tuple[str, object]]) -> Path:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerows([("sentence", "label"), *rows])
    return path


def judge(settings: Settings, path: Path, *flags: str) -> int:
    given = ["--build-dir", str(settings.build_dir), "--input", str(path), *flags]
    return evaluate_file.main(given)


def judged(settings: Settings, name: str) -> Path:
    """The only folder of what was judged under a name."""
    (folder,) = (settings.work_dir / "judged").glob(f"{name}-*")
    return folder


def rare_rows(settings: Settings, name: str) -> int:
    slices = Evaluation.load(judged(settings, name)).slices
    return next(each.rows for each in slices if each.name == "rare words")


def test_validation_split_has_its_own_figures_again(packaged: Settings, tmp_path: Path) -> None:
    rows = read_splits("demo").validation
    path = write(tmp_path / "mine.csv", [(row.sentence, row.label) for row in rows])
    assert judge(packaged, path) == 0
    folder = judged(packaged, "mine")
    mine, known = Evaluation.load(folder), Evaluation.load(packaged.work_dir)
    for name in ("rows", "accuracy", "f1", "confusion_matrix", "slices", "calibration", "mistakes"):
        assert getattr(mine, name) == getattr(known, name), name
    with (folder / "predictions.csv").open(encoding="utf-8", newline="") as file:
        lines = list(csv.DictReader(file))
    assert list(lines[0]) == ["label", "answered", "score", "sentence"]
    assert [line["sentence"] for line in lines] == [row.sentence for row in rows]
    right = sum(line["label"] == line["answered"] for line in lines)
    assert right / len(rows) == mine.accuracy


def test_report_tells_which_file_was_judged(packaged: Settings, tmp_path: Path) -> None:
    # GIVEN a name that is markup, and rows that the model has wrong, more than a page shows at once
    known = [row for row in read_splits("demo").validation if row.label == 1][:200]
    path = write(tmp_path / "<i>my & own.csv", [(row.sentence, 0) for row in known])
    assert judge(packaged, path, "--min-accuracy", "0.9") == 0
    page = (judged(packaged, path.stem) / "report.html").read_text(encoding="utf-8")
    name, version = "&lt;i&gt;my &amp; own.csv", Evaluation.load(packaged.work_dir).model_version
    # THEN title, heading and footer name it, and nothing is said of shipping or of a champion
    assert f"<title>✕ {name}: demo, model {version}</title>" in page
    (heading,) = re.findall(r"<h1>(.*)</h1>", page)
    assert name in heading
    assert f"evaluate_file --profile demo --input &#39;{name}&#39;" in page
    assert "some rules fail" in page
    assert re.search(r"1 of \d+ rules does not hold here: Accuracy 0\.\d+ is below", page)
    for foreign in ("ship: ", "not ship", "stopped", "There is no champion", ">champion<"):
        assert foreign not in page, foreign
    # AND the mistakes behind the first ten are folded
    mistakes = Evaluation.load(judged(packaged, path.stem)).mistakes
    assert 10 < len(mistakes) <= 50
    assert f"<summary>{len(mistakes) - 10} more</summary>" in page


def test_three_rows_have_a_wide_interval(
    packaged: Settings, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows: list[tuple[str, object]] = [("good", "POSITIVE"), ("bad", "negative"), ("fine", 1)]
    assert judge(packaged, write(tmp_path / "three.csv", rows)) == 0
    low, high = Evaluation.load(judged(packaged, "three")).accuracy_interval
    assert high - low > 0.5
    assert f"95 % interval {low:.3f} to {high:.3f}) on 3 rows" in capsys.readouterr().out


def test_file_without_one_class_says_so(
    packaged: Settings, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows: list[tuple[str, object]] = [(f"film {number}", 1) for number in range(20)]
    assert judge(packaged, write(tmp_path / "praise.csv", rows)) == 0
    assert "no row is NEGATIVE" in capsys.readouterr().out
    evaluation = Evaluation.load(judged(packaged, "praise"))
    assert evaluation.per_class["NEGATIVE"]["rows"] == 0


@pytest.mark.parametrize(
    ("rows", "told"),
    [
        ([("good", 1), ("so so", "neutral")], r"the label of row 2 is 'neutral', expected 0 or"),
        ([("good", 1), ("bad", "")], r"the label of row 2 is ''"),
        ([(" ", 1)], r"row 1: sentence is empty or white space"),
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


def test_files_of_one_name_are_kept_apart(packaged: Settings, tmp_path: Path) -> None:
    for folder, label in (("a", 1), ("b", 0)):
        (tmp_path / folder).mkdir()
        assert judge(packaged, write(tmp_path / folder / "my.csv", [("good", label)])) == 0
    found = [Evaluation.load(each) for each in (packaged.work_dir / "judged").glob("my-*")]
    assert sorted(each.per_class["POSITIVE"]["rows"] for each in found) == [0, 1]
    # AND the same file has its folder again
    assert judge(packaged, tmp_path / "b" / "my.csv") == 0
    assert len(list((packaged.work_dir / "judged").iterdir())) == 2


def test_other_candidate_than_the_evaluated_is_refused(
    packaged: Settings, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = write(tmp_path / "my.csv", [("good", 1)])
    # GIVEN a file of the candidate that is not what export wrote
    config = packaged.work_dir / "candidate" / "config.json"
    kept = config.read_bytes()
    config.write_bytes(kept + b" ")
    assert judge(packaged, path) == 4
    assert "Run `python -m pipeline_steps.export` again" in capsys.readouterr().err
    config.write_bytes(kept)
    # AND another model that was trained and exported since, and not evaluated
    stand_in.exported(packaged, read_splits("demo"), "bbbbbbbbbbbb", {"good": 0})
    assert judge(packaged, path) == 2
    assert "Run `python -m pipeline_steps.evaluate` with the same" in capsys.readouterr().err
    assert not (packaged.work_dir / "judged").exists()


def test_half_of_a_pair_is_found_in_the_first_look(
    packaged: Settings, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "half.jsonl"
    path.write_text(
        '{"sentence": "good", "label": 1}\n{"sentence": "half \\ud800 a pair", "label": 0}\n'
    )
    assert judge(packaged, path) == 3
    assert "row 2: sentence holds half of a surrogate pair" in capsys.readouterr().err
    assert not (packaged.work_dir / "judged").exists()


def test_wrong_columns_are_told_by_no_flag_that_is_not_there(
    packaged: Settings, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "my.csv"
    path.write_text("text,label\ngood,1\n")
    assert judge(packaged, path) == 3
    told = capsys.readouterr().err
    assert "no column 'sentence', only ['text', 'label']" in told
    assert "Expected the columns 'sentence' and 'label'." in told
    assert "--column" not in told


def test_rare_words_are_those_of_the_models_own_training(
    packaged: Settings, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = write(tmp_path / "my.csv", [("a zyzzyva of a film", 1)])
    # WHEN nothing says where the data is, it is where check_data has read it
    assert judge(packaged, path, "--data", "nobody/has-this") == 0
    assert rare_rows(packaged, "my") == 1
    # AND where data.json is of other rows, or the data of another seed, that slice is left out
    assert judge(packaged, path, "--seed", "1") == 0
    assert rare_rows(packaged, "my") == 0
    data = DataReport.load(packaged.work_dir)
    dataclasses.replace(data, data_hash="0" * 64).save(packaged.work_dir)
    capsys.readouterr()
    assert judge(packaged, path) == 0
    assert rare_rows(packaged, "my") == 0
    assert "which words are rare is not known, and their slice is left out" in (
        capsys.readouterr().out
    )
