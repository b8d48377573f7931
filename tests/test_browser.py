"""The browser runs pages, axe sees what is wrong with one, and its absence is told or fails."""

import pytest
from playwright.sync_api import Browser

from tests.browser import axe

GOOD = "<!doctype html><html lang='en'><title>A page</title><main><h1>Words</h1></main></html>"


def test_axe_finds_what_is_wrong_and_nothing_else(browser: Browser) -> None:
    page = browser.new_page()
    page.set_content(GOOD)
    assert axe(page) == []
    page.set_content(GOOD.replace("</main>", "<img src='data:,'><button></button></main>"))
    assert {violation["id"] for violation in axe(page)} == {"image-alt", "button-name"}
    page.close()


@pytest.mark.parametrize(
    ("flags", "outcome"), [((), "skipped"), (("--require-browser",), "errors")]
)
def test_missing_browser_is_told_or_fails(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch, flags: tuple[str, ...], outcome: str
) -> None:
    monkeypatch.setattr("tests.browser.NAMES", ("no-such-browser",))
    pytester.makeconftest(
        "from tests.conftest import pytest_addoption\nfrom tests.browser import browser\n"
    )
    pytester.makepyfile("def test_page(browser): pass")
    result = pytester.runpytest_inprocess("-ra", "-p", "no:cacheprovider", *flags)
    result.assert_outcomes(**{outcome: 1})
    result.stdout.fnmatch_lines(["*apt-get install chromium*"])
