"""What a client writes goes to the model and into its answer, and nowhere else."""

import csv
import io
import json

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from playwright.sync_api import Browser, Page, expect

from tests.api.conftest import LiveApi

SECRET = "xyzzy"  # in each text, each path and each name, to be looked for
HOSTILE = (
    "<script>window.hit = 1</script>", "<img src=x onerror='window.hit = 1'>", "</mark><b>", "&lt;",
    "javascript:alert(1)", "${7*7}", "{{7*7}}", "=HYPERLINK(1)", "@SUM(A1)", "\r\nX-Injected: 1",
    "\n", '"}', "\\u0000", "%0d%0aX-Injected: 1", "${jndi:ldap://x}", "\x1b[2J", "\u202e", "🙂",
)  # fmt: skip
TEXTS = st.lists(st.sampled_from(HOSTILE) | st.text(max_size=20), max_size=6).map(
    lambda parts: SECRET.join(["", *parts, ""])
)
# One line, as the page trims lines and judges each by itself; browsers drop the other characters.
LINES = st.lists(
    st.sampled_from([part for part in HOSTILE if part.isprintable()])
    | st.text(st.characters(codec="utf-8", categories=["L", "N", "P", "S"]), max_size=20),
    max_size=6,
).map(lambda parts: SECRET.join(["", *parts, ""]))
# What a spreadsheet takes for a formula where a cell begins with it, and what would end a cell.
FORMULAS = "=+-@\t\r\n\0＝＋－＠"
CELLS = st.lists(
    st.sampled_from([*FORMULAS, *"\"',;\u2028", "\r\n", '","', "HYPERLINK(1)"])
    | st.text(st.characters(codec="utf-8"), max_size=5),
    max_size=8,
).map("".join)
QUICK = settings(
    deadline=None,
    derandomize=True,
    database=None,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)


@given(text=TEXTS)
@settings(QUICK, max_examples=40)
def test_text_reaches_no_log_and_no_header(live: LiveApi, text: str) -> None:
    answers = [
        live.predict(text, explain=True),
        live.predict([text, "fine"]),
        live.post({SECRET: text}),
        live.post({"inputs": {"text": text}}),
        live.post(text),
    ]
    assert [answer.status_code for answer in answers] == [200, 200, 422, 422, 422]
    for answer in answers:
        assert SECRET not in str(answer.headers)
        assert "X-Injected" not in answer.headers
        assert answer.headers["Content-Type"].endswith("json")
        assert answer.headers["X-Content-Type-Options"] == "nosniff"


def test_nothing_of_it_is_in_any_log(live: LiveApi) -> None:
    # GIVEN requests of every kind, also where the text stands in path, query and headers
    for path in (
        f"/{SECRET}",
        f"/predict?{SECRET}={SECRET}",
        f"/health?deep={SECRET}",
        f"/docs?{SECRET}",
    ):
        for method in ("GET", "POST", "PUT"):
            live.ask(method, path, headers={"User-Agent": SECRET, "X-Model-Version": SECRET})
    # WHEN the logs of function and gateway are read, with all that was asked before
    lines = live.log_lines()
    # THEN each request is there, and none with its words
    assert len(lines) > 20
    assert not [line for line in lines if SECRET in line.lower()]


def test_error_tells_back_no_more_than_a_field_name(live: LiveApi) -> None:
    problem = live.post({"inputs": "fine", f"{SECRET}<b>" * 30: 1})
    assert SECRET not in problem.text
    named = live.post({"inputs": "fine", "<script>": 1})
    assert named.headers["Content-Type"] == "application/problem+json"
    assert named.json()["errors"][0]["pointer"] == "#/%3Cscript%3E"


def test_page_shows_it_as_text_and_runs_none_of_it(browser: Browser, live: LiveApi) -> None:
    page = browser.new_page()
    page.goto(live.url)

    @given(text=LINES)
    @settings(QUICK, max_examples=10)
    def is_shown(text: str) -> None:
        show(page, text)

    is_shown()
    show(page, "".join(part for part in HOSTILE if part.isprintable()))
    page.close()


def show(page: Page, text: str) -> None:
    """The page shows a text as it is, alone and in a table, and has no element of its making."""
    text = text.strip()
    page.fill("#text", text)
    expect(page.locator("#tokens")).to_have_text(text, use_inner_text=False)
    assert page.locator("#tokens").evaluate("box => box.textContent") == text
    page.fill("#text", f"{text}\nfine")
    expect(page.locator("#lines tr")).to_have_count(2)
    expect(page.locator("#lines td").first).to_have_text(text)
    made = page.evaluate(
        "() => [...document.querySelectorAll('#tokens *, #lines *')].map(e => e.tagName)"
    )
    assert set(made) <= {"MARK", "TR", "TD"}, made
    assert page.evaluate("window.hit") is None
    assert json.dumps(text) not in page.url


def test_csv_holds_no_formula_and_every_text_as_it_was(browser: Browser, live: LiveApi) -> None:
    page = browser.new_page()
    page.goto(live.url)

    @given(texts=st.lists(CELLS, min_size=50, max_size=100))
    @settings(QUICK, max_examples=20)
    def is_harmless(texts: list[str]) -> None:
        judged = [{"text": text, "label": "POSITIVE", "score": 0.5} for text in texts]
        written = page.evaluate("judged => csvOf(judged)", judged).removeprefix("\ufeff")
        _, *rows = csv.reader(io.StringIO(written, newline=""), strict=True)
        guarded = [f"'{text}" if text.startswith(tuple(FORMULAS)) else text for text in texts]
        assert rows == [[cell, "POSITIVE", "0.5"] for cell in guarded]

    is_harmless()
    page.close()
