"""Scoring a file: every record one line, at any size, and the same bytes whenever it is killed."""

import json
import tracemalloc
from pathlib import Path

import pytest

from pipeline_steps import score as command
from pipeline_steps import scored_file
from pipeline_steps.errors import ConfigurationError, DataCheckError
from pipeline_steps.scored_file import ScoredFile
from pipeline_steps.settings import Settings
from pipeline_steps.text_source import CHUNK_BYTES, CHUNK_RECORDS, TextSource, chunks


class Killed(BaseException):
    """Ends a run as a kill does: nothing is put in order."""


def echo(body: bytes) -> bytes:
    """Answers each line with its text in capitals."""
    texts = [json.loads(line)["inputs"] for line in body.splitlines()]
    return b"".join(json.dumps(str(text).upper()).encode() + b"\n" for text in texts)


def failing(body: bytes) -> bytes:
    """Answers the same until the 700th text."""
    if b"text 700" in body:
        raise ConnectionError("gone")
    return echo(body)


def write_texts(path: Path, count: int) -> Path:
    path.write_text("".join(f"text {number}\n" for number in range(count)))
    return path


def run(source: Path, output: Path, ask: command.Ask = echo) -> None:
    texts = TextSource.open(source, "sentence")
    with ScoredFile(output, {"input": texts.identity()}) as scored:
        command.score(texts, scored, ask, at_once=3)
        scored.finish()


def texts_of(path: Path) -> list[object]:
    return list(TextSource.open(path, "sentence").texts())


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.csv", 'id,sentence\n1,one\n2,"two, ""quoted""\nlines"\n'),
        ("a.tsv", 'sentence\tid\none\t1\ntwo, "quoted"\t2\n'),
        ("a.jsonl", '{"sentence": "one"}\n{"sentence": "two\u2028", "id": 2}\n'),
        ("blank.jsonl", '\n{"sentence": "one"}\n \r\n{"sentence": "two"}\n\n'),
        ("a.txt", "\ufeffone\r\ntwo\u2028\rstill"),
    ],
)
def test_each_format_gives_its_texts(tmp_path: Path, name: str, content: str) -> None:
    (tmp_path / name).write_text(content, encoding="utf-8", newline="")
    first, second = texts_of(tmp_path / name)
    assert first == "one"
    assert str(second).startswith("two")


def test_parquet_gives_its_texts(tmp_path: Path) -> None:
    import pyarrow
    from pyarrow import parquet

    table = pyarrow.table({"id": [1, 2, 3], "sentence": ["one", None, "three"]})
    parquet.write_table(table, tmp_path / "a.parquet")
    source = TextSource.open(tmp_path / "a.parquet", "sentence")
    assert list(source.texts(skip=1)) == [None, "three"]
    assert source.position() == source.size == 3


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.docx", b"", "expected one of .csv"),
        (
            "a.csv",
            b"review\nfine\n",
            r"no column 'sentence', only \['review'\]. Name it with --col",
        ),
        ("a.csv", b'sentence\n"open\n', "not a table"),
        ("a.txt", b"fine\n\xff\n", "not UTF-8"),
        ("a.jsonl", b'{"sentence": "fine"}\n\n{\n', ":3: not JSON"),
        ("a.jsonl", b"[]\n", ":1: expected an object"),
        ("a.jsonl", b'{"text": "fine"}\n', ":1: no column"),
        ("a.parquet", b"PAR1", "not a readable Parquet"),
    ],
)
def test_unreadable_input_is_told(tmp_path: Path, name: str, content: bytes, message: str) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(DataCheckError, match=message):
        texts_of(tmp_path / name)


def test_missing_input_is_told(tmp_path: Path) -> None:
    with pytest.raises(DataCheckError, match="No such file"):
        TextSource.open(tmp_path / "none.csv", "sentence")


def test_requests_are_bounded_in_records_and_bytes() -> None:
    many = list(chunks(iter(["a"] * 300)))
    assert [count for count, _ in many] == [CHUNK_RECORDS, CHUNK_RECORDS, 300 - 2 * CHUNK_RECORDS]
    long = list(chunks(iter(["a" * 10_000_000, "b" * 190_000, "c" * 190_000] * 5)))
    assert sum(count for count, _ in long) == 15
    assert max(len(body) for _, body in long) <= CHUNK_BYTES


def test_every_record_has_its_line_in_order(tmp_path: Path) -> None:
    run(write_texts(tmp_path / "in.txt", 1000), tmp_path / "out.jsonl")
    lines = (tmp_path / "out.jsonl").read_text().splitlines()
    assert [json.loads(line) for line in lines] == [f"TEXT {number}" for number in range(1000)]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in.txt", "out.jsonl"]


@pytest.mark.parametrize("requests_before", range(9))
@pytest.mark.parametrize("recorded", [True, False], ids=["after", "before"])
def test_killed_run_ends_in_the_same_bytes(
    tmp_path: Path, requests_before: int, recorded: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Killed after or before so many chunks' positions were recorded, with half a chunk behind."""
    source = write_texts(tmp_path / "in.txt", 1000)
    run(source, tmp_path / "whole.csv")
    record, left = scored_file.write_atomically, [requests_before]

    def dying(path: Path, write: object) -> None:
        if left[0] == 0 and not recorded:
            raise Killed
        record(path, write)  # type: ignore[arg-type]
        if left[0] == 0:
            raise Killed
        left[0] -= 1

    monkeypatch.setattr(scored_file, "write_atomically", dying)
    with pytest.raises(Killed):
        run(source, tmp_path / "out.csv")
    with (tmp_path / "out.csv.part").open("ab") as part:
        part.write(b"half a li")
    monkeypatch.setattr(scored_file, "write_atomically", record)
    run(source, tmp_path / "out.csv")
    whole = (tmp_path / "whole.csv").read_bytes()
    assert (tmp_path / "out.csv").read_bytes() == whole
    assert whole.startswith(b"label,score,error\n")
    assert whole.count(b"\n") == 1001


def test_failed_request_leaves_what_was_answered(tmp_path: Path) -> None:
    source = write_texts(tmp_path / "in.txt", 1000)
    with pytest.raises(ConnectionError):
        run(source, tmp_path / "out.jsonl", failing)
    progress = json.loads((tmp_path / "out.jsonl.progress").read_text())
    assert progress["records"] == 640
    run(source, tmp_path / "out.jsonl")
    assert (tmp_path / "out.jsonl").read_bytes().count(b"\n") == 1000


@pytest.mark.parametrize("others", [False, True], ids=["the same job", "another job"])
def test_progress_without_its_part_says_nothing(tmp_path: Path, others: bool) -> None:
    # GIVEN the position in a file that is gone
    source = write_texts(tmp_path / "in.txt", 1000)
    with pytest.raises(ConnectionError):
        run(source, tmp_path / "out.csv", failing)
    (tmp_path / "out.csv.part").unlink()
    if others:
        write_texts(source, 1001)
    # THEN all is answered anew, and no byte is made up
    run(source, tmp_path / "out.csv")
    lines = (tmp_path / "out.csv").read_bytes().splitlines()
    assert lines[:2] == [b"label,score,error", b'"TEXT 0"']
    assert len(lines) == 1001 + others


def test_kill_at_the_very_end_costs_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # GIVEN a run killed between its last two acts, whose output was moved away
    source, unlink = write_texts(tmp_path / "in.txt", 1000), Path.unlink

    def dying(path: Path, missing_ok: bool = False) -> None:
        if path.suffix == ".progress" and (tmp_path / "out.csv").exists():
            raise Killed
        unlink(path, missing_ok=missing_ok)

    with monkeypatch.context() as patched, pytest.raises(Killed):
        patched.setattr(Path, "unlink", dying)
        run(source, tmp_path / "out.csv")
    (tmp_path / "out.csv").rename(tmp_path / "whole.csv")
    # THEN it was whole, and another run gives the same
    run(source, tmp_path / "out.csv")
    whole = (tmp_path / "whole.csv").read_bytes()
    assert whole.count(b"\n") == 1001
    assert (tmp_path / "out.csv").read_bytes() == whole
    assert not (tmp_path / "out.csv.progress").exists()


def test_part_that_was_cut_is_told_and_left_alone(tmp_path: Path) -> None:
    source, part = write_texts(tmp_path / "in.txt", 1000), tmp_path / "out.csv.part"
    with pytest.raises(ConnectionError):
        run(source, tmp_path / "out.csv", failing)
    part.write_bytes(part.read_bytes()[:100])
    with pytest.raises(ConfigurationError, match=r"has 100 bytes, expected .* Delete it and"):
        run(source, tmp_path / "out.csv")
    assert part.stat().st_size == 100


def test_output_of_another_run_is_left_alone(tmp_path: Path) -> None:
    mine, other = (ScoredFile(tmp_path / "out.csv", {"input": name}) for name in ("one", "two"))
    with mine, pytest.raises(ConfigurationError, match="in use by another run"), other:
        pass
    with other:  # nothing was answered yet
        other.append(b"POSITIVE,0.75,\n", 1)
    with pytest.raises(ConfigurationError, match="another input, column or model"), mine:
        pass


def test_output_is_never_written_over(tmp_path: Path) -> None:
    (tmp_path / "out.csv").touch()
    with (
        pytest.raises(ConfigurationError, match="is there already"),
        ScoredFile(tmp_path / "out.csv", {}),
    ):
        pass


def test_memory_does_not_grow_with_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scored_file.os, "fsync", lambda _: None)

    def peak(count: int) -> int:
        source = write_texts(tmp_path / f"{count}.txt", count)
        tracemalloc.start()
        run(source, tmp_path / f"{count}.jsonl")
        _, most = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        return most

    small = peak(4_000)
    assert peak(40_000) < small + 500_000  # ten times the texts, of 0.6 MB and 5 MB as objects


def test_packaged_model_scores_a_file(
    packaged: Settings, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "in.csv").write_text("review,id\na good film,1\n,2\na bad film,3\n")
    flags = [
        "--build-dir", str(packaged.build_dir), "--input", str(tmp_path / "in.csv"),
        "--output", str(tmp_path / "out.csv"),
    ]  # fmt: skip
    assert command.main([*flags, "--column", "text"]) == 3
    assert "only ['review', 'id']" in capsys.readouterr().err
    assert command.main([*flags, "--column", "review"]) == 0
    header, first, empty, _ = (tmp_path / "out.csv").read_text().splitlines()
    assert header == "label,score,error"
    assert first.split(",")[0] in ("NEGATIVE", "POSITIVE")
    assert empty.startswith(',,"The text is empty')
    assert "3 texts in" in capsys.readouterr().out
    assert command.main([*flags, "--column", "review"]) == 2
