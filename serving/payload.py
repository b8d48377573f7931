"""What a request may hold, and what an answer looks like: JSON, JSON Lines and CSV.

    application/json        {"inputs": "a text"} or {"inputs": ["several", "texts"]}, and perhaps
                            {"parameters": {"explain": true}} beside it
    application/jsonlines   a line is a record: {"inputs": "a text"} or "a text"
    text/csv                a row is a record: its one column is the text (RFC 4180)

The answer to JSON is {"predictions": [{"label": "POSITIVE", "score": 0.98, "tokens": 3,
"unknown_tokens": 0}], "model_version": "0123456789ab"}. `score` is the probability of `label`;
`tokens` counts what the model has read of the text (a long one is cut) without special tokens, and
`unknown_tokens` those of them that the tokenizer does not know. With `explain` each prediction has
an `explanation`: [{"text", "start", "end", "gate"}], a token and how much it counts.

One bad text refuses a JSON request. In lines and rows, which hold whole files, it costs no other
record its answer: it is answered {"error": "..."}, so that there is one answer a record, in order.

Only the standard library is needed here, so every container can hold this module.
"""

import csv
import io
import json
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from email.message import Message
from itertools import islice
from typing import Any, NoReturn

JSON, JSON_LINES, CSV = FORMATS = ("application/json", "application/jsonlines", "text/csv")
MAX_TEXTS = 1000  # of one JSON request
MAX_RECORDS = (
    250_000  # of one request in lines or rows: 6 MB, Batch Transform's default, at 25 bytes
)
MAX_CHARACTERS = 100_000  # of one text; the model reads the first few hundred tokens of it
MAX_BYTES = 6 * 1024 * 1024  # of one request, as the server counts; Serverless refuses above 4 MB
EXPECTED = '{"inputs": "text"} or {"inputs": ["text", ...]}'
COLUMNS = ("label", "score", "error")


class BadRequestError(ValueError):
    """The client's fault: what came and what was expected, and the HTTP status that says so."""

    def __init__(self, message: str, status: int = 400) -> None:
        super().__init__(message)
        self.status = status


@dataclass(frozen=True)
class Request:
    """What the model is asked: texts in the order of their records.

    Attributes:
        texts: what the model has to read.
        explain: whether each prediction needs its `explanation`.
        faults: what is wrong with each record that holds no text, by its place among all records.
    """

    texts: list[str]
    explain: bool = False
    faults: dict[int, str] = field(default_factory=dict)

    def answer(self, predictions: Iterable[dict[str, Any]], model_version: str) -> dict[str, Any]:
        """The whole answer, from a prediction for each of `texts`, in order."""
        told = iter(predictions)
        count = len(self.texts) + len(self.faults)
        records = [
            {"error": self.faults[place]} if place in self.faults else next(told)
            for place in range(count)
        ]
        return {"predictions": records, "model_version": model_version}


def read(body: str | bytes | bytearray, content_type: str) -> Request:
    """Read a request's body, whose `Content-Type` may have parameters.

    Raises:
        BadRequestError: an unknown format, or not of the shape that the module's docstring shows.
    """
    header = _header(content_type)
    media_type = header.get_content_type() if content_type else ""
    if media_type not in FORMATS:
        known = ", ".join(FORMATS)
        raise BadRequestError(f"Content type is {content_type!r}, expected one of: {known}.", 415)
    text = body if isinstance(body, str) else _decode(body, header.get_content_charset("utf-8"))
    if media_type == JSON:
        return _read_json(text)
    if media_type == JSON_LINES:
        # Only a line feed ends a line: str.splitlines also splits at characters that JSON may hold.
        lines = text.removesuffix("\n").split("\n") if text else []
        return _read_records(lines, _text_of_line)
    has_header = str(header.get_param("header")).lower() == "present"  # RFC 4180's own parameter
    return _read_records(_csv_rows(text, has_header), _text_of_row)


def _header(content_type: str) -> Message:
    header = Message()
    # Without line ends, which a value from HTTP cannot hold and which a Message would refuse.
    header["Content-Type"] = " ".join(content_type.split())
    return header


def _decode(body: bytes | bytearray, charset: str) -> str:
    if charset not in ("utf-8", "utf8", "us-ascii"):
        raise BadRequestError(f"The charset is {charset!r}, expected utf-8.", 415)
    try:
        return body.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        byte = error.object[error.start]
        raise BadRequestError(
            f"The body is not UTF-8 (byte {byte:#04x} at offset {error.start})."
        ) from None


def _read_json(text: str) -> Request:
    request = _loads(text, "The body")
    if not isinstance(request, dict) or "inputs" not in request:
        raise BadRequestError(f"Expected {EXPECTED}.", 422)
    _refuse_unknown(request, ("inputs", "parameters"), "key")
    inputs = request["inputs"]
    texts = inputs if isinstance(inputs, list) else [inputs]
    if not texts:
        raise BadRequestError(f"Got 0 texts, expected 1 to {MAX_TEXTS}.", 422)
    if len(texts) > MAX_TEXTS:
        raise BadRequestError(f"Got {len(texts)} texts, the limit is {MAX_TEXTS}.", 413)
    for place, each in enumerate(texts):
        _check_text(each, f"Text {place}")
    return Request(texts, _wants_explanation(request.get("parameters", {})))


def _wants_explanation(parameters: Any) -> bool:
    if not isinstance(parameters, dict):
        raise BadRequestError('parameters is no object, expected {"explain": true}.', 422)
    _refuse_unknown(parameters, ("explain",), "parameter")
    explain = parameters.get("explain", False)
    if not isinstance(explain, bool):
        raise BadRequestError(
            f"explain is {json.dumps(explain)[:60]}, expected true or false.", 422
        )
    return explain


def _refuse_unknown(given: dict[str, Any], known: tuple[str, ...], what: str) -> None:
    unknown = sorted(given.keys() - set(known))
    if unknown:
        expected = ", ".join(known)
        raise BadRequestError(f"Unknown {what} {unknown[0][:60]!r}, expected: {expected}.", 422)


def _check_text(text: Any, subject: str) -> None:
    if not isinstance(text, str):
        raise BadRequestError(f"{subject} is no text. Expected {EXPECTED}.", 422)
    if not text.strip():
        raise BadRequestError(f"{subject} is empty, expected at least one word.", 422)
    if len(text) > MAX_CHARACTERS:
        said = f"{subject} has {len(text)} characters, the limit is {MAX_CHARACTERS}."
        raise BadRequestError(said, 413)
    if not text.isascii() and any("\ud800" <= char <= "\udfff" for char in text):
        raise BadRequestError(f"{subject} holds a lone surrogate, expected Unicode text.", 422)


def _loads(text: str, subject: str) -> Any:
    try:
        # NaN and Infinity are Python's, not JSON's.
        return json.loads(text, parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as error:
        raise BadRequestError(f"{subject} is not JSON: {error}.") from None


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no JSON value")


def _read_records(records: Iterable[Any], text_of: Callable[[Any], Any]) -> Request:
    texts: list[str] = []
    faults: dict[int, str] = {}
    for place, record in enumerate(records):
        if place == MAX_RECORDS:
            raise BadRequestError(f"Got more than {MAX_RECORDS} records, send fewer at once.", 413)
        try:
            text = text_of(record)
            _check_text(text, "The text")
            texts.append(text)
        except BadRequestError as error:
            faults[place] = str(error)
    if not texts and not faults:
        raise BadRequestError("Got no record, expected at least one.", 422)
    return Request(texts, faults=faults)


def _text_of_line(line: str) -> Any:
    record = _loads(line, "The line")
    if not isinstance(record, dict):
        return record
    if "parameters" in record:
        raise BadRequestError(f"parameters need a request of {JSON}.", 422)
    # Other keys of a record are its own, such as an id that Batch Transform joins back.
    return record.get("inputs")


def _csv_rows(text: str, has_header: bool) -> Iterator[list[str]]:
    csv.field_size_limit(2**31 - 1)  # a text that is too long is told so as in other formats
    # newline="": only csv may decide what ends a row.
    rows = csv.reader(io.StringIO(text, newline=""), strict=True)
    try:
        yield from islice(rows, int(has_header), None)
    except csv.Error as error:
        # Where one row's quotes do not close, no other row's bounds can be trusted.
        raise BadRequestError(f"Line {rows.line_num} is not CSV: {error}.") from None


def _text_of_row(row: list[str]) -> str:
    if len(row) > 1:
        said = f"The row has {len(row)} columns, expected 1: the text, quoted if it has commas."
        raise BadRequestError(said, 422)
    return row[0] if row else ""


def answer_format(accept: str, content_type: str) -> str:
    """The media type that `Accept` likes best; of those it likes alike, the request's own first.

    Raises:
        BadRequestError: none of ours is acceptable.
    """
    own = _header(content_type).get_content_type()
    offers = sorted(FORMATS, key=lambda offer: offer != own)
    quality = {offer: _quality(offer, accept or "*/*") for offer in offers}
    best = max(offers, key=lambda offer: quality[offer])
    if not quality[best]:
        known = ", ".join(FORMATS)
        raise BadRequestError(f"Accept is {accept!r}, the answer can be: {known}.", 406)
    return best


def _quality(offer: str, accept: str) -> float:
    """How much `accept` likes `offer`, 0 to 1, as its most specific range says."""
    ranges = ("*/*", offer.split("/", maxsplit=1)[0] + "/*", offer)
    best = (-1, 0.0)
    for entry in accept.lower().split(","):
        name, *parameters = (part.strip() for part in entry.split(";"))
        if name in ranges:
            weights = [
                float(part[2:]) for part in parameters if re.fullmatch(r"q=[01](\.\d*)?", part)
            ]
            best = max(best, (ranges.index(name), min([1.0, *weights])))
    return best[1]


def write(answer: dict[str, Any], media_type: str = JSON) -> str:
    """Write what `Request.answer` gave in one of `FORMATS`.

    Raises:
        BadRequestError: an explanation, which a row of CSV cannot hold.
        ValueError: a NaN, which JSON cannot hold.
    """
    if media_type == JSON:
        return json.dumps(answer, allow_nan=False)
    if media_type == JSON_LINES:
        records = answer["predictions"]
        return "".join(json.dumps(record, allow_nan=False) + "\n" for record in records)
    if any("explanation" in record for record in answer["predictions"]):
        raise BadRequestError(f"{CSV} holds no explanation, accept {JSON} or {JSON_LINES}.", 406)
    rows = io.StringIO(newline="")
    writer = csv.DictWriter(rows, COLUMNS, extrasaction="ignore", lineterminator="\n")
    writer.writerows(answer["predictions"])
    return rows.getvalue()
