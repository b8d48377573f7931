"""Score a file of any size with the packaged model, on this machine.

    python -m pipeline_steps.score --profile sst2 --input reviews.csv --output scores.jsonl

Reads .csv, .tsv, .jsonl, .parquet (the texts are in --column) or .txt (a text a line), and writes
.jsonl or .csv: one line a record, in order, as docs/serving.md shows it. A record that holds no
text has an error in its line. A run that was killed goes on where it ended, to the same bytes.
"""

import argparse
import os
import sys
import tempfile
import time
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

from pipeline_steps import settings as settings_module
from pipeline_steps import step
from pipeline_steps.console import ProgressReporter
from pipeline_steps.errors import ConfigurationError, PackagingError
from pipeline_steps.model_artefacts import Manifest
from pipeline_steps.scored_file import ScoredFile
from pipeline_steps.serving_process import ServingError, ServingProcess
from pipeline_steps.settings import Settings
from pipeline_steps.tarball import extract_tarball
from pipeline_steps.text_source import TextSource, chunks

MEDIA_TYPES = {".jsonl": "application/jsonlines", ".csv": "text/csv"}
Ask = Callable[[bytes], bytes]


def score(source: TextSource, output: ScoredFile, ask: Ask, at_once: int) -> None:
    """Let `ask` answer what of `source` is not yet in `output`, `at_once` requests at a time."""
    pending: deque[tuple[int, Future[bytes]]] = deque()

    def write_first() -> None:
        count, answer = pending.popleft()
        output.append(answer.result(), count)
        reporter.update(source.position(), source.size, f"{output.records:,} texts")

    with ThreadPoolExecutor(at_once) as pool, ProgressReporter("scoring") as reporter:
        try:
            for count, body in chunks(source.texts(skip=output.records)):
                pending.append((count, pool.submit(ask, body)))
                if len(pending) > at_once:
                    write_first()
            while pending:
                write_first()
        finally:
            pool.shutdown(cancel_futures=True)


def main(arguments: list[str] | None = None) -> int:
    """Score one file from the command line and give back the exit code."""
    parser = step.parser_with_flags(__doc__)
    parser.add_argument("--input", type=Path, required=True, help="the file to score")
    parser.add_argument("--output", type=Path, required=True, help="a .jsonl or .csv to write")
    parser.add_argument("--column", default="sentence", help="where the texts are (%(default)s)")
    return step.exit_code_of(lambda: run(parser.parse_args(arguments)))


def run(arguments: argparse.Namespace) -> None:
    """Score what the flags name.

    Raises:
        ConfigurationError: the output is there already, or is another run's.
        DataCheckError: the input cannot be read.
        PackagingError: there is no packaged model, or it does not answer.
    """
    settings = settings_module.from_flags(arguments)
    media_type = MEDIA_TYPES.get(arguments.output.suffix)
    if media_type is None:
        known = " or ".join(MEDIA_TYPES)
        raise ConfigurationError(f"--output is {str(arguments.output)!r}, expected a {known} file.")
    source = TextSource.open(arguments.input, arguments.column)
    manifest = Manifest.load(settings.work_dir)
    job = {"input": source.identity(), "tarball_sha256": manifest.tarball_sha256}
    began = time.monotonic()
    with ScoredFile(arguments.output, job) as output, _packaged(settings) as server:
        before = output.records
        if before:
            print(f"Going on after {before:,} texts.")
        at_once = min(16, (os.cpu_count() or 1) + 1)  # one waits while the others are answered
        score(source, output, lambda body: _answer_of(server, body, media_type), at_once)
        output.finish()
        done, seconds = output.records - before, time.monotonic() - began
        print(f"{output.records:,} texts in {arguments.output}: {done / seconds:,.0f} a second")


@contextmanager
def _packaged(settings: Settings) -> Iterator[ServingProcess]:
    with tempfile.TemporaryDirectory(prefix="score-") as folder:
        extract_tarball(settings.work_dir / "model.tar.gz", Path(folder))
        try:
            with ServingProcess(Path(folder)) as server:
                yield server
        except ServingError as error:
            raise PackagingError(f"The packaged model does not answer. {error}") from error


def _answer_of(server: ServingProcess, body: bytes, media_type: str) -> bytes:
    answer = server.invoke(body, MEDIA_TYPES[".jsonl"], media_type)
    if answer.status_code != 200:
        raise ServingError(f"It answered {answer.status_code}: {answer.text}")
    return answer.content


if __name__ == "__main__":
    sys.exit(main())
