"""The data check: what blocks, what warns, and what the report says of it."""

import dataclasses
from pathlib import Path

import pytest

from model.data import Example, Splits
from model.held_out import normalise
from pipeline_steps import check_data
from pipeline_steps import settings as settings_module
from pipeline_steps.aws import Clients
from pipeline_steps.check_data import find_problems
from pipeline_steps.errors import DataCheckError
from pipeline_steps.model_artefacts import DataReport
from pipeline_steps.setting_groups import CheckSettings
from pipeline_steps.settings import Settings

GOOD = [Example("a fine film", 1), Example("a dull film", 0)]
OTHER = [Example("a warm story", 1), Example("a cold story", 0)]


def problems(train: list[Example], validation: list[Example] = OTHER) -> dict[str, tuple[str, int]]:
    found = find_problems(Splits(train, validation), CheckSettings())
    return {finding.check: (finding.level, finding.count) for finding in found}


def in_folder(folder: Path, train: str, **overrides: str) -> Settings:
    (folder / "train.tsv").write_text(train, encoding="utf-8")
    (folder / "validation.tsv").write_text("sentence\tlabel\nwarm\t1\ncold\t0\n", encoding="utf-8")
    return settings_module.load("sst2", folder / "build", {"data": str(folder), **overrides})


def test_clean_data_has_no_findings() -> None:
    assert problems(GOOD) == {}


@pytest.mark.parametrize(
    ("train", "check", "level", "count"),
    [
        ([*GOOD, Example("A fine film!", 1)], "duplicates", "warn", 1),
        ([*GOOD, Example("A Fine, film", 0)], "conflicts", "warn", 1),
        ([*GOOD, Example("a WARM story", 1)], "leakage", "warn", 1),
        ([*GOOD, *(Example(f"fine {n}", 1) for n in range(9))], "imbalance", "warn", 11),
        ([GOOD[0]], "empty_split", "block", 1),
        ([], "empty_split", "block", 0),
    ],
)
def test_fault_is_found(train: list[Example], check: str, level: str, count: int) -> None:
    assert problems(train)[check] == (level, count)


def test_profile_decides_what_blocks() -> None:
    checks = dataclasses.replace(CheckSettings(), duplicates="block")
    (finding,) = find_problems(Splits([*GOOD, GOOD[0]], OTHER), checks)
    assert finding.level == "block"


def test_report_counts_rows_and_lengths(tmp_path: Path) -> None:
    settings = in_folder(tmp_path, "sentence\tlabel\none two three\t1\none\t0\n")
    outcome = check_data.run(settings, Clients())
    report = DataReport.load(settings.work_dir)
    assert report.splits["train"].rows == 2
    assert report.splits["train"].positive_share == 0.5
    assert report.splits["train"].mean_words == 2
    assert report.splits["train"].words["1-1"] == 1
    assert report.splits["train"].words["2-3"] == 1
    assert "2 train, 2 validation sentences, 0 warnings" in outcome.detail


def test_blocking_row_is_shown_with_its_place(tmp_path: Path) -> None:
    settings = in_folder(tmp_path, "sentence\tlabel\nfine\t1\ndull\t0\nodd\t7\n")
    with pytest.raises(DataCheckError, match=r"train\.tsv:4: label is '7'.*bad_rows = \"warn\""):
        check_data.run(settings, Clients())
    assert DataReport.load(settings.work_dir).blocking


@pytest.mark.parametrize("row", ["\t1", " \u3000 \t1"])
def test_row_without_text_is_shown(tmp_path: Path, row: str) -> None:
    settings = in_folder(tmp_path, f"sentence\tlabel\nfine\t1\ndull\t0\n{row}\n")
    with pytest.raises(DataCheckError, match=r"train\.tsv:4: sentence is empty or white space"):
        check_data.run(settings, Clients())


def test_empty_split_has_no_setting_to_warn(tmp_path: Path) -> None:
    settings = in_folder(tmp_path, "sentence\tlabel\n")
    with pytest.raises(DataCheckError, match=r"train split has no rows at all") as caught:
        check_data.run(settings, Clients())
    assert "or set" not in str(caught.value)


def test_warned_rows_are_left_out(tmp_path: Path) -> None:
    rows = "sentence\tlabel\nfine\t1\ndull\t0\nodd\t7\n"
    settings = in_folder(tmp_path, rows, bad_rows="warn")
    check_data.run(settings, Clients())
    assert DataReport.load(settings.work_dir).splits["train"].rows == 2


def test_unreadable_data_is_exit_code_3(tmp_path: Path) -> None:
    settings = in_folder(tmp_path, "text\tlabel\nfine\t1\n")
    with pytest.raises(DataCheckError, match="no column 'sentence'"):
        check_data.run(settings, Clients())


@pytest.mark.parametrize(("one", "other"), [("It's  GOOD.", "it s good"), ("Naïve!", "naïve")])
def test_case_and_punctuation_do_not_count(one: str, other: str) -> None:
    assert normalise(one) == normalise(other)


def test_bundled_corpus_passes_clean(tmp_path: Path) -> None:
    check_data.run(settings_module.load("demo", tmp_path), Clients())
    assert DataReport.load(tmp_path / "demo").findings == []


def test_real_sst2_passes_with_warnings(tmp_path: Path, shared: Path) -> None:
    overrides = {"data": str(shared / "data" / "sst2")}
    settings = settings_module.load("sst2", tmp_path, overrides)
    check_data.run(settings, Clients())
    report = DataReport.load(settings.work_dir)
    counts = {(f.check, f.message.split()[1]): f.count for f in report.findings}
    assert counts["duplicates", "train"] == 8_751
    assert counts["conflicts", "train"] == 154
    assert report.blocking == []
