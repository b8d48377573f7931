"""The report in a real browser: seen in light, dark and on a phone, printed, and used by keyboard.

Leaves its screenshots in build/screenshots/, for whoever changes how the report looks.
"""

import dataclasses
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page

from pipeline_steps import report_page
from pipeline_steps import settings as settings_module
from pipeline_steps.report_content import Content, gather
from tests.browser import axe
from tests.conftest import QUICK
from tests.pipeline_steps.judged import VERDICTS, judged

SCREENSHOTS = Path(__file__).parents[2] / "build" / "screenshots"
PHONE, DESK = {"width": 360, "height": 740}, {"width": 1200, "height": 900}


@pytest.fixture(scope="module")
def content(packaged_once: Path) -> Content:
    """What a report tells of a packaged model."""
    return gather(settings_module.load("demo", packaged_once, QUICK))


def written(content: Content, folder: Path) -> str:
    """Where a report lies: a file, and no server."""
    path = folder / "report.html"
    path.write_text(report_page.render(content), encoding="utf-8")
    return path.as_uri()


@pytest.fixture(scope="module")
def report_url(content: Content, tmp_path_factory: pytest.TempPathFactory) -> str:
    """The report of a judged model."""
    made = dataclasses.replace(content, evaluation=judged(content.evaluation))
    return written(made, tmp_path_factory.mktemp("report"))


@pytest.fixture
def page(browser: Browser, report_url: str, request: pytest.FixtureRequest) -> Iterator[Page]:
    """The report, opened as the test asks for; no request may leave, no error may be logged."""
    with browser.new_context(**getattr(request, "param", {"viewport": DESK})) as context:
        opened = context.new_page()
        asked: list[str] = []
        opened.on("request", lambda each: asked.append(each.url))
        opened.on("console", lambda each: asked.append(each.text))
        opened.goto(report_url)
        yield opened
        assert asked == [report_url]


LOOKS = {
    "light": {"viewport": DESK, "color_scheme": "light"},
    "dark": {"viewport": DESK, "color_scheme": "dark"},
    "phone": {"viewport": PHONE, "color_scheme": "light", "has_touch": True},
    "phone-dark": {"viewport": PHONE, "color_scheme": "dark", "has_touch": True},
}


@pytest.mark.parametrize(
    ("page", "name"), [(look, name) for name, look in LOOKS.items()], ids=LOOKS, indirect=["page"]
)
def test_report_is_accessible_and_fits(page: Page, name: str) -> None:
    SCREENSHOTS.mkdir(parents=True, exist_ok=True)
    page.screenshot(path=SCREENSHOTS / f"report-{name}.png", full_page=True)
    # THEN nothing is wider than the screen, and with all opened axe has nothing to say
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
    page.evaluate("document.querySelectorAll('details').forEach((each) => { each.open = true })")
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
    assert [(each["id"], each["nodes"][0]["html"]) for each in axe(page)] == []


SAID = {  # of a model, and of a file
    "passed": ("✓ passed", "✓ all rules hold"),
    "warned": ("! passed, with care", "! some rules warn"),
    "stopped": ("✕ stopped", "✕ some rules fail"),
    "overridden": ("! overridden", "✕ some rules fail"),
}


@pytest.mark.parametrize("file", [None, "reviews of (last) year.csv"], ids=["model", "file"])
@pytest.mark.parametrize("verdict", VERDICTS)
def test_each_verdict_is_accessible(
    browser: Browser, content: Content, tmp_path: Path, verdict: str, file: str | None
) -> None:
    # GIVEN more mistakes than are shown at once
    evaluation = judged(content.evaluation, verdict)
    evaluation = dataclasses.replace(evaluation, mistakes=evaluation.mistakes * 10)
    url = written(dataclasses.replace(content, evaluation=evaluation, file=file), tmp_path)
    SCREENSHOTS.mkdir(parents=True, exist_ok=True)
    for scheme in ("dark",) if file else ("light", "dark"):
        with browser.new_context(viewport=PHONE, color_scheme=scheme) as context:  # type: ignore[arg-type]
            page = context.new_page()
            page.goto(url)
            name = f"report-{'file-' if file else ''}{verdict}-{scheme}.png"
            page.screenshot(path=SCREENSHOTS / name)
            assert page.locator(".verdict .badge").inner_text() == SAID[verdict][bool(file)]
            page.evaluate("document.querySelectorAll('details').forEach((e) => { e.open = true })")
            assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
            assert [(each["id"], each["nodes"][0]["html"]) for each in axe(page)] == []


def test_dark_turns_page_and_plots(page: Page) -> None:
    def colours() -> tuple[str, str]:
        page_ink, plot_ink = page.evaluate(
            """() => [document.body, document.querySelector('.plot text')].map(
                (each) => getComputedStyle(each))
                .map((style, place) => place ? style.fill : style.color)"""
        )
        return page_ink, plot_ink

    page.emulate_media(color_scheme="light")
    light = colours()
    page.emulate_media(color_scheme="dark")
    dark = colours()
    assert light[0] == light[1]
    assert dark[0] == dark[1] != light[0]


def test_keyboard_reaches_everything(page: Page) -> None:
    # WHEN nothing but Tab and Enter is pressed
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "skip"
    page.keyboard.press("Enter")
    assert page.evaluate("location.hash") == "#verdict"
    page.keyboard.press("Shift+Tab")
    reached = set()
    wanted = page.evaluate(
        """() => [...document.querySelectorAll('a, summary, [tabindex="0"]')]
            .filter((each) => each.checkVisibility({contentVisibilityAuto: true}))
            .map((each, place) => { each.dataset.place = place; return place })"""
    )
    for _ in range(2 * len(wanted)):
        page.keyboard.press("Tab")
        place, width = page.evaluate(
            """() => [document.activeElement.dataset.place,
                getComputedStyle(document.activeElement).outlineStyle]"""
        )
        if place is not None:
            reached.add(int(place))
            assert width == "solid", place  # the focus can be seen
    # THEN each link, each fold and each table that scrolls has had the focus
    assert reached == set(wanted)
    # AND a fold opens and closes
    page.locator("#mistakes summary").first.focus()
    page.keyboard.press("Enter")
    assert page.locator("#mistakes .gates").first.is_visible()
    page.keyboard.press("Enter")
    assert not page.locator("#mistakes .gates").first.is_visible()


def test_print_is_light_whole_and_without_navigation(page: Page) -> None:
    page.emulate_media(media="print", color_scheme="dark")
    assert not page.locator("nav").is_visible()
    assert page.evaluate("getComputedStyle(document.body).color") == "rgb(34, 33, 31)"
    # THEN what is folded on the screen is on the paper
    folded = page.locator("#mistakes .gates").first
    assert folded.evaluate("(each) => each.checkVisibility({contentVisibilityAuto: true})")
    assert folded.evaluate("(each) => each.getBoundingClientRect().height > 0")
    # AND nothing is cut at the edge of A4, its margins taken off
    page.set_viewport_size({"width": 680, "height": 1000})
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
    pdf = page.pdf(path=SCREENSHOTS / "report.pdf", format="A4", print_background=False)
    assert pdf.startswith(b"%PDF")


def test_gates_are_seen_without_colour(page: Page) -> None:
    # GIVEN forced colours, as of Windows' contrast themes: no shade is left
    page.emulate_media(forced_colors="active")
    strong, weak = (
        page.locator("#mistakes .mistakes mark").all()[0],
        page.locator("#mistakes .mistakes mark").all()[3],
    )
    height = "(each) => parseFloat(getComputedStyle(each).borderBottomWidth)"
    assert strong.evaluate(height) >= 3
    assert weak.evaluate(height) == 0
