"""The report: what it tells, when it is written, and that no text becomes markup."""

import dataclasses
import json
from collections.abc import Iterator
from typing import Any

import html5lib
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline_steps import report, report_page, step
from pipeline_steps.aws import Clients
from pipeline_steps.errors import ConfigurationError
from pipeline_steps.evaluation_artefacts import (
    BehaviourCase,
    Champion,
    Evaluation,
    Mistake,
    Rule,
    Token,
)
from pipeline_steps.model_artefacts import DataReport, ExportReport, Finding
from pipeline_steps.report_content import Content, figures, gather, percent, verdict
from pipeline_steps.settings import Settings
from tests.pipeline_steps.judged import judged

HOSTILE = [
    "<script>document.title = 'owned'</script>",
    "</style></title></details><img src=x onerror=alert(1)>",
    '"\' onmouseover="alert(1)" x=\'',
    "{{ 7 * 7 }} {% raw %} &lt;b&gt; &#60;",
    "\u202eright to left\u202c שלום عالم",
    "half \ud800 a pair, nul \x00, escape \x1b[31m, nonsense \ufffe",
    "]]> --> <!-- \u2028",
]


@pytest.fixture
def content(packaged: Settings) -> Content:
    """A packaged demo model with everything that an evaluation may hold."""
    found = gather(packaged)
    return dataclasses.replace(found, evaluation=judged(found.evaluation))


def parsed(page: str) -> Any:
    """The page as the HTML standard reads it; what it calls a parse error fails the test."""
    return html5lib.HTMLParser(strict=True, namespaceHTMLElements=False).parse(page)


def elements(page: str, name: str) -> list[Any]:
    return [each for each in parsed(page).iter() if each.tag == name]


def ids(page: str) -> list[str]:
    return [each.get("id") for each in parsed(page).iter() if each.get("id")]


def prose(page: str) -> str:
    return " ".join("".join(elements(page, "body")[0].itertext()).split())


def test_report_tells_everything_in_one_valid_file(content: Content) -> None:
    page = report_page.render(content)
    told = prose(page)
    # THEN the verdict comes first, and every section is there
    sections = ["rules", "figures", "training", "confusion", "calibration", "slices", "behaviour",
                "mistakes", "gate", "data", "lineage", "cost"]  # fmt: skip
    assert [name for name in ids(page) if name in sections] == sections
    assert told.index("It may ship: no rule forbids it, 1 of 3 warns.") < told.index("Rules")
    assert f"{100 * content.evaluation.accuracy:.1f} %" in told
    assert "31 that only this model answers rightly" in told
    assert "1 of 1 that failed" in told
    assert content.evaluation.data_hash in told
    # AND it asks for nothing outside of itself, and no name stands twice
    assert not {"script", "link", "img", "iframe", "object"} & {
        each.tag for each in parsed(page).iter() if isinstance(each.tag, str)
    }
    assert len(ids(page)) == len(set(ids(page)))


def test_same_files_give_the_same_bytes(content: Content) -> None:
    assert report_page.render(content) == report_page.render(content)


def test_plots_take_the_colours_of_the_page(content: Content) -> None:
    plots = elements(report_page.render(content), "{http://www.w3.org/2000/svg}svg")
    assert len(plots) >= 5
    for plot in plots:
        assert plot.get("role") == "img"
        assert len(plot.get("aria-label")) > 20
        looks = " ".join(each.get("style") or "" for each in plot.iter())
        assert "var(--ink)" in looks
        assert "#0001" not in looks


def test_each_token_shows_its_gate(content: Content) -> None:
    page = report_page.render(content)
    (first, *_) = [each for each in elements(page, "li") if each.findall("p[@class='text']")]
    marks = list(first.iter("mark"))
    explanation = content.evaluation.mistakes[0].explanation
    assert [mark.text for mark in marks] == [token.text for token in explanation]
    # THEN it is shaded, and underlined for whoever sees no colour, and its number can be read
    assert marks[0].get("style") == "--gate:0.91;--rule:4px"
    assert marks[3].get("style") == "--gate:0.02;--rule:0px"
    assert "Not 0.91" in " ".join("".join(first.itertext()).split())
    text = first.findall("p[@class='text']")[0]
    assert "".join(text.itertext()) == content.evaluation.mistakes[0].text


def test_hostile_text_stays_text(content: Content) -> None:
    # GIVEN hostile words wherever data, a model or a person put some
    evaluation, (test, *_) = content.evaluation, content.evaluation.behaviour
    words = " ".join(HOSTILE)
    assert content.data is not None
    made = dataclasses.replace(
        content,
        evaluation=dataclasses.replace(
            evaluation,
            mistakes=[
                Mistake(text, text, text, 0.9, [Token(text, 0, len(text), 0.5)]) for text in HOSTILE
            ],
            rules=[Rule(text, "fail", None, None, text) for text in HOSTILE],
            slices=[dataclasses.replace(evaluation.slices[0], description=words)],
            behaviour=[
                dataclasses.replace(
                    test,
                    name=text,
                    capability=text,
                    worst=[BehaviourCase(text, text, text, 0.9, text)],
                )
                for text in HOSTILE
            ],
            champion=Champion(words),
            override=words,
        ),
        data=dataclasses.replace(
            content.data, findings=[Finding("leakage", "warn", 1, words, HOSTILE)]
        ),
    )
    page = report_page.render(made)
    page.encode()
    # THEN the page is valid, and holds no other elements and attributes than ours
    tags = {each.tag for each in parsed(page).iter() if isinstance(each.tag, str)}
    assert not tags & {"script", "img", "b ", "base", "form"}
    assert len(elements(page, "style")) == len(elements(page, "title")) == 1
    assert not any(name.startswith("on") for each in parsed(page).iter() for name in each.attrib)
    # AND every word can be read, but for what no page can hold
    told = prose(page)
    for text in HOSTILE:
        assert " ".join(report_page.possible(text).split()) in told


@given(st.text(), st.data())
def test_pieces_are_the_text_whatever_the_tokens(text: str, data: st.DataObject) -> None:
    place = st.integers(-2, len(text) + 2)
    spans = data.draw(st.lists(st.tuples(place, place), max_size=6))
    tokens = [Token("", start, end, 0.5) for start, end in spans]
    cut = report_page.pieces(Mistake(text, "POSITIVE", "NEGATIVE", 0.9, tokens))
    assert "".join(piece.text for piece in cut) == text


def test_figures_stand_beside_their_bars_and_the_champions(content: Content) -> None:
    rules = [
        Rule("calibration error", "pass", 0.018, 0.05, ""),
        Rule("Brier score", "warn", 0.071, 0.05, ""),
        Rule("size", "pass", 0.7, 250.0, ""),
        Rule("latency", "fail", 1.2, 1.0, ""),
    ]
    evaluation = dataclasses.replace(content.evaluation, rules=rules)
    found = {
        each.name: (each.value, each.bar, each.champion)
        for each in figures(evaluation, min_accuracy=0)
    }
    assert found["accuracy"][1:] == (f"{percent(0)} (met)", percent(0.951))
    assert found["F1 of POSITIVE"][1:] == ("", percent(0.949))
    assert found["calibration error"] == ("0.018", "0.050 (met)", "0.031")
    assert found["Brier score"] == ("0.071", "0.050 (not met)", "0.066")
    assert found["size"] == ("0.7 MB", "250.0 MB (met)", "")
    assert found["latency"] == ("1.2 ms", "1.0 ms (not met)", "")
    # AND without rules and champion, as before there were any, only the figures are told
    alone = dataclasses.replace(evaluation, rules=[], champion=None)
    told = {each.name: (each.bar, each.champion) for each in figures(alone, min_accuracy=0)}
    assert set(told.values()) == {("", ""), (f"{percent(0)} (met)", "")}


def verdicts() -> Iterator[tuple[list[Rule], str | None, str, str]]:
    good, odd, bad = (
        Rule(name, name, 0.5, 0.9, f"{name} it is.")  # type: ignore[arg-type]
        for name in ("pass", "warn", "fail")
    )
    yield [good], None, "pass", "It may ship: all 1 rules hold."
    yield [good, odd], None, "warn", "It may ship: no rule forbids it, 1 of 2 warns."
    yield [odd, bad], None, "fail", "It does not ship: fail it is."
    yield [bad, bad], None, "fail", "It does not ship: fail it is. And 1 more."
    yield [bad], "demo day", "warn", "A person lets it ship though a rule does not hold: demo day"


@pytest.mark.parametrize(("rules", "override", "level", "line"), list(verdicts()))
def test_verdict_is_one_plain_line(
    content: Content, rules: list[Rule], override: str | None, level: str, line: str
) -> None:
    evaluation = dataclasses.replace(content.evaluation, rules=rules, override=override)
    assert verdict(evaluation) == (level, line)


def test_what_nobody_has_written_is_left_out(packaged: Settings) -> None:
    # GIVEN no more than an evaluation of before there were rules, slices, behaviour and champion
    kept = Evaluation.load(packaged.work_dir)
    alone = dataclasses.replace(packaged, build_dir=packaged.build_dir / "alone")
    old = {"slices": [], "behaviour": [], "calibration": None, "champion": None, "footprint": None,
           "rules": [], "mistakes": [], "rationales": None}  # fmt: skip
    dataclasses.replace(kept, **old).save(alone.work_dir)
    report.run(alone, Clients())
    page = (alone.work_dir / "report.html").read_text(encoding="utf-8")
    assert [name for name in ids(page) if name in ("rules", "training", "slices", "data")] == []
    assert "There is no champion to compare with." in prose(page)


def test_report_before_an_evaluation_says_what_to_run(
    packaged: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    (packaged.work_dir / "evaluation.json").unlink()
    flags = ["--profile", "demo", "--build-dir", str(packaged.build_dir)]
    assert step.main(report.run, None, flags) == 2
    told = capsys.readouterr().err
    assert "evaluation.json is missing" in told
    assert "python -m pipeline_steps.evaluate" in told


def test_evaluation_of_another_candidate_is_refused(packaged: Settings) -> None:
    exported = ExportReport.load(packaged.work_dir)
    dataclasses.replace(exported, files={"model.onnx": "0" * 64}).save(packaged.work_dir)
    with pytest.raises(ConfigurationError, match="judges another candidate"):
        report.run(packaged, Clients())


def test_files_of_another_model_are_left_out(packaged: Settings) -> None:
    data = DataReport.load(packaged.work_dir)
    dataclasses.replace(data, data_hash="0" * 64).save(packaged.work_dir)
    evaluation = Evaluation.load(packaged.work_dir)
    dataclasses.replace(evaluation, model_version="another").save(packaged.work_dir)
    found = gather(packaged)
    assert (found.data, found.training, found.exported, found.manifest) == (None,) * 4


def test_outcome_names_the_file(packaged: Settings) -> None:
    outcome = report.run(packaged, Clients())
    assert str(packaged.work_dir / "report.html") in outcome.detail
    assert json.loads((packaged.work_dir / "evaluation.json").read_text())["model_version"] in (
        packaged.work_dir / "report.html"
    ).read_text(encoding="utf-8")
