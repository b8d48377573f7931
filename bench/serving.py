"""Our serving beside AWS's stack and its peers: first answer, latency, throughput, memory, size.

make bench-serving ARGS="--data path/to/sst2 --tokenizer path/to/t5-tokenizer"
make bench-serving ARGS=--quick    bundled texts, one short round

The systems run in turn, round after round; figures are medians over rounds, and the spread is the
highest minus the lowest. All models have random weights: time and memory do not depend on what they
hold. docs/performance.md tells what came out.
"""

import argparse
import json
import signal
import statistics
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bench import serving_inside, serving_models
from bench.aws_stack import ENVIRONMENT, AwsStack, missing
from bench.report import Report
from bench.serving_load import Load, measure
from model.data import read_splits
from model.tokenizer import load_tokenizer, train_tokenizer
from pipeline_steps.serving_process import SERVER, ServingProcess

STACK_PINS = Path(__file__).with_name("aws_stack.txt")
OURS, STACK = "ours onnx", "ours pytorch, AWS stack"
T5, DISTILBERT = "peer T5ForSequenceClassification", "peer DistilBERT"
FOLDERS = {OURS: "onnx", STACK: "pytorch", T5: "t5", DISTILBERT: "distilbert"}
SHORT, FIRST, MODEL = "1 x short, p50", "to first answer", "model, 1 x short"
ALONE, TOGETHER = "32 x short one by one", "32 x short in one batch"
PER_SECOND = "requests, {} clients"
Figures = dict[tuple[str, str, str], list[float]]  # system, metric, unit


def main() -> int:
    """Run the benchmark; returns 1 where a bar is not met."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--data", default="demo", help="folder of SST-2 (the bundled corpus)")
    parser.add_argument("--tokenizer", help="folder of T5's tokenizer; trained without it")
    parser.add_argument("--rounds", type=int, default=3, help="times that each system runs (3)")
    parser.add_argument("--calls", type=int, default=180, help="short texts a round (180)")
    parser.add_argument("--quick", action="store_true", help="one round of 20 calls")
    arguments = parser.parse_args()
    if reason := missing():
        print(f"bench serving {reason}", file=sys.stderr)
        return 2
    # Ended from outside, it leaves no server behind either.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    rounds, calls = (1, 20) if arguments.quick else (arguments.rounds, arguments.calls)
    texts = [example.sentence for example in read_splits(arguments.data).validation]
    tokenizer = (
        load_tokenizer(arguments.tokenizer)
        if arguments.tokenizer
        else train_tokenizer(texts, vocab_size=2000)
    )
    with tempfile.TemporaryDirectory(prefix="bench-serving-") as name:
        folders = serving_models.make(Path(name), tokenizer)
        load = Load(texts, serving_models.long_text(tokenizer, texts), calls)
        figures: Figures = defaultdict(list)
        for number in range(rounds):
            for system, folder in FOLDERS.items():
                print(f"round {number + 1} of {rounds}: {system}", flush=True)
                with running(system, folders[folder]) as (url, pid, seconds):
                    figures[system, FIRST, "s"].append(seconds)
                    for (metric, unit), value in measure(url, pid, load).items():
                        figures[system, metric, unit].append(value)
            _inside(figures, folders, texts[:calls])
        for system, folder in FOLDERS.items():
            size = serving_models.folder_bytes(folders[folder]) / 1e6
            figures[system, "artefact", "MB"].append(size)
    _images(figures)
    return _report(figures).finish()


@contextmanager
def running(system: str, folder: Path) -> Iterator[tuple[str, int, float]]:
    """Start a system; gives its address, process and the seconds to its first answer."""
    body = json.dumps({"inputs": "a fine film"}).encode()
    if system == OURS:
        began = time.perf_counter()
        with ServingProcess(folder) as server:
            server.invoke(body).raise_for_status()
            yield server.url, server.pid or 0, time.perf_counter() - began
        return
    ours = {"SAGEMAKER_PROGRAM": "inference.py"}
    environment = ours if system == STACK else {"HF_TASK": "text-classification"}
    prepared = AwsStack(folder, environment)  # copies the model, which is no part of its start
    began = time.perf_counter()
    with prepared as stack:
        answer = stack.first_answer(body)
        if answer.status_code != 200:
            raise RuntimeError(f"{system} answers {answer.status_code}: {answer.text}")
        yield stack.url, stack.pid, time.perf_counter() - began


def _inside(figures: Figures, folders: dict[str, Path], texts: list[str]) -> None:
    inside = serving_inside.measure(folders["onnx"], texts)
    figures[OURS, "handlers, 1 x short", "ms"].append(inside.handlers)
    figures[OURS, MODEL, "ms"].append(inside.model)
    figures["floor", MODEL, "ms"].append(inside.floor)
    figures["floor", "int8 product, one core", "Gop/s"].append(inside.product / 1e9)
    for system, folder in ((OURS, "onnx"), ("ours onnx, fp32", serving_models.EXACT)):
        alone, together = serving_inside.batches(folders[folder], texts, repeats=5)
        figures[system, ALONE, "ms"].append(alone)
        figures[system, TOGETHER, "ms"].append(together)


def _images(figures: Figures) -> None:
    """What each image holds beside the base: packages as installed here, and nothing compressed."""
    names = _pinned(SERVER.parent / "requirements.txt")
    figures[OURS, "image, packages", "MB"].append(serving_models.installed_bytes(names) / 1e6)
    stack = serving_models.folder_bytes(ENVIRONMENT)
    ours = serving_models.with_dependencies(["torch", "transformers"]) - _pinned(STACK_PINS)
    aws = (serving_models.installed_bytes(ours) + stack) / 1e6
    for system in (STACK, T5, DISTILBERT):
        figures[system, "image, packages", "MB"].append(aws)


def _pinned(requirements: Path) -> set[str]:
    lines = requirements.read_text(encoding="utf-8").splitlines()
    return {line.split("==")[0].replace("_", "-") for line in lines if "==" in line}


def _report(figures: Figures) -> Report:
    report = Report("serving")
    bars = {
        (OURS, FIRST): "<= 1",
        (OURS, "memory at rest"): "<= 250",
        (OURS, "memory at peak"): "<= 250",
    }
    middle = {}
    for (system, metric, unit), values in figures.items():
        middle[system, metric] = statistics.median(values)
        spread = max(values) - min(values) if len(values) > 1 else None
        bar = bars.get((system, metric), "")
        report.row(system, metric, middle[system, metric], unit, bar, spread=spread)
    ratios = {
        "warm short text, T5ForSequenceClassification over ours": (T5, OURS, SHORT, ">= 15"),
        "warm short text, DistilBERT over ours": (DISTILBERT, OURS, SHORT, ">= 10"),
        "first answer, AWS stack over ours": (STACK, OURS, FIRST, ">= 10"),
        "model time, ours over floor": (OURS, "floor", MODEL, "<= 2.5"),
    }
    for name, (above, below, metric, bar) in ratios.items():
        report.ratios[name] = middle[above, metric] / middle[below, metric]
        report.row("ratio", name, report.ratios[name], "x", bar)
    overhead = middle[OURS, SHORT] - middle[OURS, "handlers, 1 x short"]
    report.row(OURS, "HTTP overhead, 1 x short", overhead, "ms", "<= 1")
    flat = "requests a second, 16 clients over 1"
    sixteen, one = (middle[OURS, PER_SECOND.format(clients)] for clients in (16, 1))
    report.ratios[flat] = sixteen / one
    report.row("ratio", flat, report.ratios[flat], "x", ">= 1")
    return report


if __name__ == "__main__":
    sys.exit(main())
