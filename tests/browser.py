"""A real browser for the tests of pages: the machine's own Chromium, driven by Playwright.

Playwright's driver is in its wheel; the browsers that it would download are not needed.
"""

import shutil
from collections.abc import Iterator
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, sync_playwright

NAMES = ("chromium", "chromium-browser", "google-chrome")
MISSING = (
    "needs a Chromium on PATH, which is not here: `apt-get install chromium`, or your package "
    f"manager's; it may be called {', '.join(NAMES)}"
)
FLAGS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
)  # fmt: skip


@pytest.fixture(scope="module")
def browser(request: pytest.FixtureRequest) -> Iterator[Browser]:
    """The machine's Chromium; skipped without it, or failed under `--require-browser`.

    One a module, not a session: while Playwright runs, no other test can use asyncio.
    """
    found = next(filter(None, map(shutil.which, NAMES)), None)
    if found is None:
        (pytest.fail if request.config.getoption("--require-browser") else pytest.skip)(MISSING)
    with sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=found, args=FLAGS)
        yield running
        running.close()


def axe(page: Page) -> list[dict[str, Any]]:
    """What axe-core finds to violate accessibility on a page as it is now; empty is good."""
    violations: list[dict[str, Any]] = Axe().run(page).response["violations"]
    return violations
