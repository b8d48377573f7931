"""What a request may hold in each format, what is refused, and what an answer looks like."""

import json

import payload
import pytest
from hypothesis import given
from hypothesis import strategies as st
from payload import CSV, JSON, JSON_LINES, BadRequestError, Request

GOOD = {"label": "POSITIVE", "score": 0.75, "tokens": 3, "unknown_tokens": 0}


def refused(body: str | bytes, content_type: str = JSON) -> BadRequestError:
    with pytest.raises(BadRequestError) as caught:
        payload.read(body, content_type)
    return caught.value


@pytest.mark.parametrize("content_type", [JSON, "Application/JSON; charset=utf-8", " " + JSON])
def test_one_text_or_a_list_is_read(content_type: str) -> None:
    assert payload.read('{"inputs": "fine"}', content_type) == Request(["fine"])
    assert payload.read(b'{"inputs": ["a", "b"]}', content_type) == Request(["a", "b"])


def test_explanation_is_asked_for() -> None:
    body = '{"inputs": "fine", "parameters": {"explain": %s}}'
    assert payload.read(body % "true", JSON).explain
    assert not payload.read(body % "false", JSON).explain
    assert not payload.read('{"inputs": "fine", "parameters": {}}', JSON).explain


@pytest.mark.parametrize(
    ("body", "status", "message"),
    [
        ("", 400, "not JSON"),
        ("{", 400, "not JSON"),
        ("[" * 100_000, 400, "not JSON"),
        (b"\xff\xfe\xfa", 400, "not UTF-8 (byte 0xff at offset 0)"),
        ('{"inputs": %s}' % ("1" * 5000), 400, "not JSON"),
        ("[]", 422, "Expected"),
        ('{"inputs": 3}', 422, "Text 0 is no text"),
        ('{"inputs": null}', 422, "Text 0 is no text"),
        ('{"inputs": ["a", 3]}', 422, "Text 1 is no text"),
        ('{"inputs": []}', 422, "Got 0 texts"),
        ('{"inputs": ["a", " \\n\\u3000"]}', 422, "Text 1 is empty"),
        ('{"inputs": "\\ud800"}', 422, "lone surrogate"),
        (b'{"inputs": "\xed\xa0\x80"}', 400, "not UTF-8"),
        (json.dumps({"inputs": ["a"] * 10_000}), 413, "Got 10000 texts, the limit is 1000"),
        (json.dumps({"inputs": "a" * 1_000_000}), 413, "1000000 characters, the limit is 100000"),
        ('{"inputs": "a", "explain": true}', 422, "Unknown key 'explain', expected: inputs, param"),
        ('{"inputs": "a", "parameters": []}', 422, "parameters is no object"),
        ('{"inputs": "a", "parameters": {"explian": true}}', 422, "'explian', expected: explain"),
        ('{"inputs": "a", "parameters": {"explain": 1}}', 422, "explain is 1, expected true or"),
        ('{"inputs": "a", "parameters": {"explain": NaN}}', 400, "NaN is no JSON value"),
    ],
    ids=range(20),
)
def test_bad_json_is_told(body: str | bytes, status: int, message: str) -> None:
    error = refused(body)
    assert error.status == status
    assert message in str(error)


@pytest.mark.parametrize("content_type", ["", "text/plain", "application/x-www-form-urlencoded"])
def test_other_content_type_is_told(content_type: str) -> None:
    error = refused('{"inputs": "fine"}', content_type)
    assert error.status == 415
    assert f"{content_type!r}, expected one of: application/json" in str(error)


def test_other_charset_is_told() -> None:
    assert refused(b"x", "text/csv; charset=latin-1").status == 415


def test_lines_are_records_with_keys_of_their_own() -> None:
    body = b'{"id": 7, "inputs": "one"}\r\n"two"\n{"inputs": "three\xe2\x80\xa8still"}\n'
    assert payload.read(body, JSON_LINES) == Request(["one", "two", "three\u2028still"])
    assert payload.read(b'"no line feed at the end"', JSON_LINES).texts


def test_bad_line_costs_no_other_its_answer() -> None:
    request = payload.read('"one"\n{\n\n{"inputs": " "}\n["a"]\n"two"\n', JSON_LINES)
    assert request.texts == ["one", "two"]
    assert sorted(request.faults) == [1, 2, 3, 4]
    answer = payload.write(request.answer([GOOD, GOOD], "v"), JSON_LINES)
    kinds = ["error" if "error" in json.loads(line) else "label" for line in answer.splitlines()]
    assert kinds == ["label", "error", "error", "error", "error", "label"]


def test_line_with_parameters_is_told() -> None:
    (fault,) = payload.read('{"inputs": "a", "parameters": {}}', JSON_LINES).faults.values()
    assert fault == "parameters need a request of application/json."


def test_rows_are_quoted_as_in_rfc_4180() -> None:
    body = '\ufeffplain\r\n"with, comma"\r\n"a ""good"" one"\r\n"two\r\nlines"\r\nsays "hm"'
    texts = ["plain", "with, comma", 'a "good" one', "two\r\nlines", 'says "hm"']
    assert payload.read(body.encode(), CSV) == Request(texts)


def test_header_is_a_row_unless_announced() -> None:
    assert payload.read("review\ngood", CSV).texts == ["review", "good"]
    assert payload.read("review\ngood", "text/csv; header=present").texts == ["good"]


def test_bad_row_costs_no_other_its_answer() -> None:
    request = payload.read("one\n\ntwo, three\n" + "a" * 200_000 + "\nfour", CSV)
    assert request.texts == ["one", "four"]
    answer = payload.write(request.answer([GOOD, GOOD], "v"), CSV)
    first, empty, columns, long, last = answer.splitlines()
    assert first == last == "POSITIVE,0.75,"
    assert empty == ',,"The text is empty, expected at least one word."'
    assert columns.startswith(',,"The row has 2 columns')
    assert "200000 characters" in long


@pytest.mark.parametrize("body", ['fine\n"not closed\nrest', '"a"b'])
def test_rows_without_clear_bounds_are_refused(body: str) -> None:
    assert "is not CSV" in str(refused(body, CSV))


@pytest.mark.parametrize("content_type", [JSON_LINES, CSV])
def test_no_record_is_refused(content_type: str) -> None:
    assert refused("", content_type).status == 422


@pytest.mark.parametrize("content_type", [JSON_LINES, CSV])
def test_too_many_records_are_refused(content_type: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(payload, "MAX_RECORDS", 3)
    assert payload.read("1\n2\n3\n", content_type)
    assert refused("1\n2\n3\n4\n", content_type).status == 413


@pytest.mark.parametrize(
    ("accept", "content_type", "chosen"),
    [
        ("", JSON, JSON),
        ("*/*", JSON, JSON),
        ("*/*", JSON_LINES, JSON_LINES),
        ("text/csv", JSON_LINES, CSV),
        ("application/*", CSV, JSON),
        ("application/json;q=0.1, text/csv;q=0.9", JSON, CSV),
        ("*/*;q=0.5, application/jsonlines", JSON, JSON_LINES),
        ("*/*, application/json;q=0", JSON, JSON_LINES),
        ("text/html, */*;q=nan", JSON, JSON),
    ],
)
def test_answer_format_is_negotiated(accept: str, content_type: str, chosen: str) -> None:
    assert payload.answer_format(accept, content_type) == chosen


@pytest.mark.parametrize("accept", ["text/html", "*/*;q=0", "application/xml, image/*"])
def test_unacceptable_answer_is_406(accept: str) -> None:
    with pytest.raises(BadRequestError, match="the answer can be: application/json") as caught:
        payload.answer_format(accept, JSON)
    assert caught.value.status == 406


def test_explanation_does_not_fit_into_csv() -> None:
    answer = Request(["a"]).answer([GOOD | {"explanation": []}], "v")
    assert '"explanation": []' in payload.write(answer, JSON_LINES)
    with pytest.raises(BadRequestError, match="holds no explanation"):
        payload.write(answer, CSV)


@given(
    body=st.binary() | st.text().map(str.encode),
    content_type=st.text() | st.sampled_from([JSON, JSON_LINES, CSV, CSV + ";header=present"]),
    accept=st.text() | st.sampled_from(["*/*", "a;q=1;q=x,,;"]),
)
def test_anything_is_read_or_refused(body: bytes, content_type: str, accept: str) -> None:
    try:
        request = payload.read(body, content_type)
        answer = request.answer([GOOD] * len(request.texts), "v")
        written = payload.write(answer, payload.answer_format(accept, content_type))
    except BadRequestError as error:
        assert 400 <= error.status < 500
        json.dumps({"error": str(error)}).encode()
    else:
        assert len(answer["predictions"]) == len(request.texts) + len(request.faults)
        written.encode()
