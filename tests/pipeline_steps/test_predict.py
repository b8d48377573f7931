"""A model is tried from the shell: the packaged one, or one behind an API."""

import io
import json
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from pipeline_steps import create_api, deploy_endpoint, predict
from pipeline_steps.aws import Clients
from pipeline_steps.release_artefacts import Api
from pipeline_steps.settings import Settings

Make = Callable[..., Settings]
Captured = pytest.CaptureFixture[str]


def test_packaged_model_is_asked(packaged_once: Path, capsys: Captured) -> None:
    texts = ["a wonderful film", "a long\ntext " * 20]
    assert predict.main(["--build-dir", str(packaged_once), *texts]) == 0
    first, second = capsys.readouterr().out.splitlines()
    assert first.split()[0] in ("POSITIVE", "NEGATIVE")
    assert first.endswith("a wonderful film")
    assert second.endswith("…")


def test_lines_of_stdin_become_lines_of_json(
    release: Make, capsys: Captured, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = release()
    deploy_endpoint.run(settings, Clients())
    create_api.run(settings, Clients())
    url = Api.load(settings.environment_dir).api_url
    monkeypatch.setattr("sys.stdin", io.StringIO("a good film\n\na film\n" + "good\n" * 120))
    assert predict.main(["--api-url", url + "/", "--json"]) == 0
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert len(lines) == 122
    assert lines[0] == {"text": "a good film", "label": "POSITIVE", "score": 0.9}
    assert lines[1]["label"] == "NEGATIVE"
    # AND what the API refuses is told
    assert predict.main(["--api-url", url, "x" * 10_001]) == 8
    assert "answered 413: The text has 10001 characters" in capsys.readouterr().err
    # AND long texts of other scripts, 1.8 MB together, are asked in as many requests as they need
    assert predict.main(["--api-url", url, *(["хороший " * 1200] * 100)]) == 0
    assert len(capsys.readouterr().out.splitlines()) == 100


def test_guarded_and_throttled_api_is_asked_again_with_a_signature(
    release: Make, capsys: Captured, monkeypatch: pytest.MonkeyPatch
) -> None:
    # GIVEN an API for AWS identities, that takes one request a second
    settings = release(authorizer="iam", throttle_rate=1.0, throttle_burst=1)
    deploy_endpoint.run(settings, Clients())
    create_api.run(settings, Clients())
    url = Api.load(settings.environment_dir).api_url
    texts = ["a good film"] * (predict.TEXTS_PER_REQUEST + 1)
    assert predict.main(["--api-url", url, "a good film"]) == 8
    assert "answered 403: Forbidden" in capsys.readouterr().err
    monkeypatch.setenv("T5_AUTHORIZER", "iam")
    assert predict.main(["--api-url", url, *texts]) == 0
    assert len(capsys.readouterr().out.splitlines()) == len(texts)


def test_missing_model_is_told_with_the_way_to_one(tmp_path: Path, capsys: Captured) -> None:
    assert predict.main(["--build-dir", str(tmp_path), "fine"]) == 6
    assert "make demo" in capsys.readouterr().err


def test_api_that_is_not_there_is_told(capsys: Captured) -> None:
    assert predict.main(["--api-url", "http://127.0.0.1:9", "fine"]) == 8
    assert "http://127.0.0.1:9 does not answer" in capsys.readouterr().err


def test_url_of_something_else_is_told(capsys: Captured, tmp_path: Path) -> None:
    class Other(BaseHTTPRequestHandler):
        said = b"[]"

        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            self.send_response(200)
            self.send_header("Content-Length", str(len(self.said)))
            self.end_headers()
            self.wfile.write(self.said)

        def log_message(self, *args: object) -> None:
            """Keep the test's output quiet."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Other) as server:
        threading.Thread(target=server.serve_forever, args=(0.01,)).start()
        for Other.said in (b"[]", b'"ok"', b'{"status": "ok"}', b'[{"label": "GOOD"}]', b"[3]"):
            assert predict.main(["--api-url", f"http://127.0.0.1:{server.server_port}", "x"]) == 8
            assert "gave no predictions" in capsys.readouterr().err
        server.shutdown()


@pytest.mark.parametrize("texts", [[], [""], ["fine", " "]])
def test_no_text_is_a_mistake(
    texts: list[str], monkeypatch: pytest.MonkeyPatch, capsys: Captured
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO("\n"))
    assert predict.main(texts) == 2
    assert "No text" in capsys.readouterr().err


def test_other_encoding_is_told(monkeypatch: pytest.MonkeyPatch, capsys: Captured) -> None:
    lines = io.BytesIO("good\ntrès bon\n".encode("latin-1"))
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(lines, encoding="utf-8"))
    assert predict.main([]) == 2
    assert "Standard input is not utf-8" in capsys.readouterr().err
