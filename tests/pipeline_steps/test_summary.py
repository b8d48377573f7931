"""The page about a run: what it shows, and that nothing in the data becomes markup."""

import dataclasses
import html
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline_steps import markdown, report_content, run_report, summary
from pipeline_steps.aws import Clients
from pipeline_steps.evaluation_artefacts import Champion, Evaluation, Mistake, Rule
from pipeline_steps.model_artefacts import TrainingReport
from pipeline_steps.release_artefacts import Release, RunReport, StepRecord
from pipeline_steps.report_content import percent
from pipeline_steps.settings import Settings
from pipeline_steps.summary import render
from tests.pipeline_steps.judged import judged

GOOD = RunReport(
    "demo", "0123456789ab", [StepRecord("smoke_test", "done", 2.0, "fine", "production")]
)
JUDGED = dataclasses.replace(GOOD, metrics={"accuracy": 0.96})
HOSTILE = "<script>alert(1)</script> | **bold** [a](http://b) `code` @team #1\n\n# Title ![x](y)"


def cells(*texts: object) -> str:
    return f"| {' | '.join(map(markdown.escaped, texts))} |"


def test_page_tells_what_was_made(packaged: Settings) -> None:
    evaluation = judged(Evaluation.load(packaged.work_dir))
    evaluation.save(packaged.work_dir)
    version = evaluation.model_version
    page = render(packaged, dataclasses.replace(JUDGED, model_version=version))
    assert page.startswith(f"# ✅ {version} is live")
    assert (
        cells("accuracy", percent(evaluation.accuracy), f"{percent(0)} (met)", percent(0.951))
        in page
    )
    assert markdown.escaped("It may ship: no rule forbids it, 1 of 3 warns.") in page
    assert cells("⚠️", "slice: negation", "negation: 0.880 on 102 sentences.") in page
    assert "31 that only" in page
    assert cells("temporal", 1, 60, percent(0.9)) in page
    counts = evaluation.confusion_matrix["NEGATIVE"]
    assert f"| NEGATIVE | {counts['NEGATIVE']} | {counts['POSITIVE']} |" in page
    assert "xychart-beta" in page
    assert "The curve in numbers" in page
    assert f"The {len(evaluation.mistakes)} worst mistakes" in page
    assert "smoke&#95;test &#40;production&#41;" in page
    assert "USD a month" in page


def test_failure_comes_first_with_its_reason(packaged: Settings) -> None:
    failed = [StepRecord("evaluate", "failed", 0, "below the bar", None, "evaluate")]
    report = dataclasses.replace(GOOD, steps=failed, error="Accuracy 0.5 is below the bar.")
    page = render(packaged, report)
    first, _, reason, *_ = page.splitlines()
    assert first == "# ❌ evaluate failed, 0123456789ab"
    assert "below the bar" in reason
    assert "**Production is untouched.**" in page


def test_run_that_judged_nothing_shows_no_former_model(packaged: Settings) -> None:
    # GIVEN a folder that a former run has filled, down to the release
    judged(Evaluation.load(packaged.work_dir)).save(packaged.work_dir)
    (packaged.work_dir / "report.html").touch()
    version = Evaluation.load(packaged.work_dir).model_version
    release = Release(version, "endpoint", "config-of-before", "s3://b/m", "0" * 64, "arn")
    release.save(packaged.in_environment("production").environment_dir)
    # WHEN the next one ends at the data
    failed = StepRecord("check_data", "failed", 0, "rows without text")
    report = run_report.compose(packaged, [failed], "rows without text")
    page = render(packaged, report)
    # THEN only that is told
    assert page.startswith("# ❌ check&#95;data failed, no model")
    for former in ("Judgement", "Figures", "Training", "The report", "config-of-before"):
        assert former not in page, former
    # AND the run that made it told all of it
    passed = [StepRecord(name, "done", 1) for name in ("train", "export", "evaluate")]
    passed.append(StepRecord("deploy_endpoint", "done", 1, "", "production"))
    whole = render(packaged, run_report.compose(packaged, passed, None))
    for its in ("Judgement", "Figures", "Training", "The report", "config-of-before"):
        assert markdown.escaped(its) in whole, its


def test_empty_folder_has_a_page_too(packaged: Settings, tmp_path: Path) -> None:
    nothing = dataclasses.replace(packaged, build_dir=tmp_path / "nothing")
    assert render(nothing, GOOD).startswith("# ✅")


def test_hostile_and_huge_data_stays_text_and_small(packaged: Settings) -> None:
    # GIVEN sentences, versions and errors that are markup, and long
    folder = packaged.work_dir
    evaluation = Evaluation.load(folder)
    full = judged(evaluation)
    mistakes = [Mistake(HOSTILE * 1000, HOSTILE, HOSTILE, 0.9)] * 1000
    rules = [Rule(HOSTILE, "fail", None, None, HOSTILE * 1000)] * 1000
    slices = [dataclasses.replace(full.slices[0], name=HOSTILE, description=HOSTILE)] * 1000
    tests = [
        dataclasses.replace(full.behaviour[0], capability=f"{number} {HOSTILE}")
        for number in range(1000)
    ]
    dataclasses.replace(
        full, mistakes=mistakes, rules=rules, slices=slices, behaviour=tests,
        champion=Champion(HOSTILE * 1000), override=HOSTILE * 1000,
    ).save(folder)  # fmt: skip
    training = TrainingReport.load(folder / "checkpoint")
    (point,) = training.result["history"]
    history = [point | {"step": number} for number in range(100_000)]
    result = training.result | {"history": history, "device": HOSTILE}
    dataclasses.replace(training, result=result, model_version=HOSTILE).save(folder / "checkpoint")
    steps = [StepRecord(HOSTILE, "failed", 1, HOSTILE * 1000)] * 1000
    report = RunReport("demo", HOSTILE, steps, {"accuracy": 0.9}, error=HOSTILE * 1000)
    page = render(packaged, report)
    # THEN the page is far below GitHub's 1 MiB, and holds no markup but ours
    assert len(page.encode()) < 200_000
    assert "<script" not in page
    assert "http://b" not in page
    assert "](" not in page
    assert "@team" not in page
    chart = re.search(r"x-axis \"step\" \[(.*)\]", page)
    assert chart is not None
    assert len(chart[1].split(",")) == report_content.MOST_POINTS
    assert chart[1].endswith('"99999"')


@given(st.text())
def test_escaped_text_is_one_line_without_markup(text: str) -> None:
    made = markdown.escaped(text)
    assert "\n" not in made
    assert not set(made) & set("<>|*_`[]@!\\")
    # AND it reads as it was written
    printable = "".join(
        character for character in " ".join(text.split()) if character.isprintable()
    )
    assert html.unescape(markdown.escaped(text, most=len(text) + 1)) == printable


def test_page_shows_the_first_mistakes_only(packaged: Settings) -> None:
    evaluation = Evaluation.load(packaged.work_dir)
    mistakes = [Mistake(f"text {n}", "POSITIVE", "NEGATIVE", 0.9) for n in range(50)]
    dataclasses.replace(evaluation, mistakes=mistakes).save(packaged.work_dir)
    page = render(packaged, JUDGED)
    assert "The 10 worst mistakes" in page
    assert "text 9" in page
    assert "text 10" not in page


def test_page_says_where_the_report_is(packaged: Settings) -> None:
    assert "The report" not in render(packaged, JUDGED)
    (packaged.work_dir / "report.html").touch()
    assert "The report of the model: " in render(packaged, JUDGED)
    url = "https://github.com/you/your-fork/actions/runs/1/artifacts/2"
    assert f"]({url})" in render(packaged, dataclasses.replace(GOOD, report_url=url))


def test_page_is_appended_on_github(
    packaged: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    GOOD.save(packaged.work_dir)
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(tmp_path / "page.md"))
    summary.run(packaged, Clients())
    assert (tmp_path / "page.md").read_text(encoding="utf-8").startswith("# ✅ 0123456789ab")
