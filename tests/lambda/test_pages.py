"""Pages run nothing but their own script, talk to nobody but this API, and are not framed."""

import base64
import hashlib
import json
import re

import pages
import pytest

from tests.function_calls import get


@pytest.mark.parametrize("path", ["/", "/docs"])
def test_page_runs_only_its_own_script(path: str) -> None:
    answer = get(path)
    policy = answer["headers"]["Content-Security-Policy"]
    kinds = [kind for kind, _ in pages.INLINE.findall(answer["body"])]
    assert kinds.count("script") == 1
    for _, inline in pages.INLINE.findall(answer["body"]):
        digest = base64.b64encode(hashlib.sha256(inline.encode()).digest()).decode()
        assert f"'sha256-{digest}'" in policy
    assert "unsafe" not in policy
    for rule in ("default-src 'none'", "connect-src 'self'", "frame-ancestors 'none'"):
        assert rule in policy
    assert answer["headers"]["Referrer-Policy"] == "no-referrer"
    assert answer["headers"]["X-Content-Type-Options"] == "nosniff"
    assert answer["headers"]["Strict-Transport-Security"] == "max-age=31536000"


@pytest.mark.parametrize("path", ["/", "/docs"])
def test_page_loads_nothing_from_elsewhere(path: str) -> None:
    text = get(path)["body"]
    assert re.findall(r"(?:src|href)\s*=\s*[\"']?(?:https?:)?//", text) == []
    assert not re.search(r"<(?:script|link|img|iframe)[^>]+src=", text)
    assert "@import" not in text
    assert all("url(" not in style for kind, style in pages.INLINE.findall(text) if kind == "style")


def test_page_names_model_and_report(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REPORT_URL", 'https://example.com/"><script>alert(1)</script>')
    text = get("/")["body"]
    assert 'data-version="released00000"' in text
    assert "<script>alert" not in text
    assert "{{" not in text + get("/docs")["body"]


def test_contract_is_served_as_it_lies_here() -> None:
    answer = get("/openapi.json")
    assert answer["headers"]["Content-Type"] == "application/json"
    assert answer["body"] == json.loads((pages.FOLDER / "openapi.json").read_text("utf-8"))
    assert set(pages.FILES) | {"/predict", "/health"} == set(answer["body"]["paths"])
