"""The page in a real browser, on the live API: as it is used, and as it fails."""

import csv
import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, Route, expect

from pipeline_steps import deploy_endpoint
from tests.api.conftest import LiveApi
from tests.browser import axe

SCREENSHOTS = Path(__file__).parents[2] / "build" / "screenshots"
TEXT = "The visual effects were stunning, but the plot was boring."
SEVERAL = 'A good film.\n\n=1+1\n+2\n-3\n@SUM(A1)\nsaid "well", and <b>bold</b>'
LOOKS: dict[str, dict[str, Any]] = {
    "light": {"color_scheme": "light"},
    "dark": {"color_scheme": "dark"},
    "phone": {"viewport": {"width": 375, "height": 760}, "is_mobile": True, "has_touch": True},
}


@pytest.fixture
def context(browser: Browser, live: LiveApi) -> Iterator[BrowserContext]:
    """A new browser profile; at the end, its pages have asked nobody but the API."""
    opened = browser.new_context(permissions=["clipboard-read", "clipboard-write"])
    yield watched(opened, live)
    opened.close()


def watched(context: BrowserContext, live: LiveApi) -> BrowserContext:
    """Refuse each request to others, and each error of a script or of the security policy."""

    def look(url: str) -> None:
        assert url.startswith((live.url, "data:", "blob:")), url

    def hear(text: str) -> None:
        assert "Content Security Policy" not in text, text

    context.on("request", lambda request: look(request.url))
    context.on("console", lambda message: hear(message.text))
    context.on("weberror", lambda error: pytest.fail(str(error.error)))
    return context


@pytest.fixture
def page(context: BrowserContext, live: LiveApi) -> Page:
    """The page, just opened."""
    opened = context.new_page()
    opened.goto(live.url)
    return opened


def judged(page: Page, text: str) -> None:
    """Give the page a text and wait until it shows the answer."""
    with page.expect_response("**/predict"):
        page.fill("#text", text)
    expect(page.locator("#result")).not_to_have_attribute("aria-busy", "true")


def copied(page: Page, button: str) -> str:
    """What a button of the page has put on the clipboard."""
    page.click(button)
    expect(page.locator("#note")).to_contain_text("copied")
    return str(page.evaluate("navigator.clipboard.readText()"))


def test_typed_text_gets_verdict_and_shaded_tokens(page: Page, live: LiveApi) -> None:
    answer = live.predict(TEXT, explain=True).json()
    # WHEN it is typed quickly THEN the API is asked once
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    with page.expect_response("**/predict"):
        page.locator("#text").press_sequentially(TEXT)
    assert asked == [f"{live.url}/predict"]
    # AND what it says is shown: label, probability, and each token at its place by its gate
    expect(page.locator("#verdict b")).to_have_text(answer["label"].capitalize())
    expect(page.locator("#verdict span")).to_have_text(f"{100 * answer['score']:.1f} %")
    expect(page.locator("#tokens")).to_have_text(TEXT)
    marks = page.locator("#tokens mark")
    shown = marks.evaluate_all(
        "all => all.map(m => [m.textContent, m.style.getPropertyValue('--gate')])"
    )
    wanted = [[TEXT[one["start"] : one["end"]], one["gate"]] for one in answer["tokens"]]
    assert [[text, float(gate)] for text, gate in shown] == [
        [text, pytest.approx(gate)] for text, gate in wanted
    ]
    expect(page.locator("#model")).to_have_text(live.predict("x").headers["X-Model-Version"])


def test_stale_answer_is_cancelled_and_never_shown(page: Page, live: LiveApi) -> None:
    def never_answer(route: Route) -> None:
        """Leave the request open, as a model that takes long does."""

    page.route("**/predict", never_answer, times=1)
    with page.expect_request("**/predict"):
        page.fill("#text", "stale words")
    with page.expect_event("requestfailed") as failed:
        judged(page, "new words")
    assert "stale" in str(failed.value.post_data)
    expect(page.locator("#tokens")).to_have_text("new words")


def test_lines_become_table_and_harmless_csv(page: Page, live: LiveApi, tmp_path: Path) -> None:
    judged(page, SEVERAL)
    lines = [line for line in SEVERAL.splitlines() if line]
    expect(page.locator("#lines tr")).to_have_count(len(lines))
    assert page.locator("#lines td:first-child").all_text_contents() == lines
    with page.expect_download() as download:
        page.click("#csv button")
    path = tmp_path / download.value.suggested_filename
    download.value.save_as(path)
    with path.open(encoding="utf-8-sig", newline="") as file:
        head, *rows = csv.reader(file)
    assert head == ["text", "label", "score"]
    assert [row[0].removeprefix("'") for row in rows] == lines
    assert not [row for row in rows if row[0][0] in "=+-@\t\r"]
    answers = live.predict(lines).json()
    assert [(row[1], float(row[2])) for row in rows] == [
        (one["label"], pytest.approx(one["score"])) for one in answers
    ]


def test_shared_link_shows_the_same_and_sends_no_text(
    page: Page, context: BrowserContext, live: LiveApi
) -> None:
    judged(page, "a secret? 100 % & <i>good</i>")
    link = copied(page, "#link")
    assert "#text=" in link
    asked: list[str] = []
    context.on("request", lambda request: asked.append(request.url + str(request.headers)))
    other = context.new_page()
    other.goto(link)
    expect(other.locator("#tokens")).to_have_text("a secret? 100 % & <i>good</i>")
    assert asked
    assert not [sent for sent in asked if "secret" in sent]


def test_copied_curl_gives_the_same_answer(page: Page, live: LiveApi) -> None:
    text = 'it\'s "good" $HOME `id` \\n é 🙂 !'
    judged(page, text)
    command = copied(page, "#curl")
    run = subprocess.run(
        ["/bin/bash", "-c", command], capture_output=True, text=True, check=True, timeout=60
    )
    assert json.loads(run.stdout) == live.predict(text, explain=True).json()


def test_command_that_holds_a_part_only_says_so(page: Page) -> None:
    judged(page, "fine\n" * 101)
    command = copied(page, "#curl")
    expect(page.locator("#note")).to_have_text("Command copied, with the first 100 texts of it.")
    assert command.count('"fine"') == 100


def test_model_links_to_its_report(page: Page, live: LiveApi) -> None:
    report = "https://example.com/{model_version}/report.html"
    model = page.locator("#model")
    assert model.get_attribute("href") is None
    with live.with_settings(report_url=report):
        page.goto(live.url)
        version = model.text_content() or ""
        expect(model).to_have_attribute("href", report.format(model_version=version))
        judged(page, "fine")
        expect(model).to_have_attribute("href", report.format(model_version=version))
        assert axe(page) == []


def test_without_a_clipboard_it_is_there_to_be_copied(page: Page) -> None:
    judged(page, TEXT)
    page.evaluate("() => { navigator.clipboard.writeText = () => Promise.reject(Error('no')); }")
    page.click("#curl")
    expect(page.locator("#copied")).to_contain_text("curl -s ")
    page.click("summary")
    expect(page.locator("#weights")).to_be_visible()
    assert axe(page) == []


KEEP_NOTES = """() => {
  window.notes = [];
  new MutationObserver(() => notes.push(note.textContent)).observe(note, { childList: true });
}"""


def test_throttled_text_is_told_and_tried_again(page: Page, live: LiveApi) -> None:
    # GIVEN a gateway that takes one request a second, and has just taken it
    page.evaluate(KEEP_NOTES)
    with live.with_settings(throttle_rate=1.0, throttle_burst=1):
        for number in range(20):  # a busy machine may need longer than that second
            live.predict("first")
            with page.expect_response("**/predict") as answer:
                page.fill("#text", f"fine {number}")
            if answer.value.status == 429:
                break
        assert answer.value.status == 429
        # THEN the page says so, and asks again when the gateway takes more
        expect(page.locator("#tokens")).to_have_text(f"fine {number}", timeout=60_000)
    told = "Too many requests at the moment. Trying again in 2 s."
    assert told in page.evaluate("notes")
    expect(page.locator("#note")).not_to_have_text(told)


def test_model_that_is_not_there_is_told_and_tried_again(page: Page, live: LiveApi) -> None:
    # GIVEN an endpoint that is gone, and a page that asks for it
    live.clients.sagemaker.delete_endpoint(EndpointName=live.settings.resource_name)
    try:
        with page.expect_response("**/predict") as answer:
            page.fill("#text", "fine")
        assert answer.value.status == 503
        expect(page.locator("#note")).to_contain_text("being started or exchanged")
        expect(page.locator("#note")).to_contain_text("again in 5 s")  # as Retry-After has it
        assert axe(page) == []
    finally:
        deploy_endpoint.run(live.settings, live.clients)
    # THEN its answer is shown as soon as it is back
    expect(page.locator("#tokens")).to_have_text("fine", timeout=60_000)


def test_text_that_is_too_long_is_told_and_leaves_no_old_answer(page: Page) -> None:
    judged(page, TEXT)
    page.fill("#text", "x" * 10_001)
    expect(page.locator("#note")).to_contain_text("10001 characters")
    expect(page.locator("#result")).to_be_hidden()
    # AND of several lines it is told which
    page.fill("#text", "fine\n" + "y" * 10_001)
    expect(page.locator("#note")).to_contain_text(f"“{'y' * 30}…”: The text has 10001 characters")
    judged(page, "fine")
    expect(page.locator("#tokens")).to_have_text("fine")


def test_offline_is_told_and_over_when_it_ends(page: Page, context: BrowserContext) -> None:
    context.set_offline(True)
    page.fill("#text", "fine")
    expect(page.locator("#note")).to_contain_text("cannot be reached")
    context.set_offline(False)
    expect(page.locator("#tokens")).to_have_text("fine")


def test_keyboard_is_enough(page: Page) -> None:
    expect(page.locator("#text")).to_be_focused()
    page.keyboard.press("Tab")
    with page.expect_response("**/predict"):
        page.keyboard.press("Enter")
    expect(page.locator("#tokens")).to_have_text(TEXT)
    for _ in range(10):
        page.keyboard.press("Tab")
        if page.locator("#link").evaluate("link => link === document.activeElement"):
            break
    page.keyboard.press("Enter")
    expect(page.locator("#note")).to_have_text("Link copied.")


@pytest.mark.parametrize("look", LOOKS)
def test_page_is_accessible_and_fits(browser: Browser, live: LiveApi, look: str) -> None:
    """The screenshots stay in build/screenshots, to be looked at."""
    context = watched(browser.new_context(**LOOKS[look]), live)
    page = context.new_page()
    page.goto(live.url)
    for name, text in (("one", TEXT), ("many", SEVERAL)):
        judged(page, text)
        check(page, f"{look}-{name}")
    page.goto(f"{live.url}/docs")
    page.wait_for_selector("section")
    check(page, f"{look}-docs")
    context.close()


def check(page: Page, name: str) -> None:
    """Nothing violates accessibility, and nothing has to be scrolled for sideways."""
    page.screenshot(path=SCREENSHOTS / f"{name}.png", full_page=True)
    assert axe(page) == []
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
