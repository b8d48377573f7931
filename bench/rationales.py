"""Is the gate honest, and what does it cost? Three trainings, three seeds each, on the same data.

make bench-rationales ARGS="--data path/to/sst2 --backbone path/to/backbone"

Each training is the pipeline's own (`check_data` and `train`) in a folder of its own below
build/bench/rationales, and is reused where nothing that determines it has changed; a run that was
stopped goes on where it ended. What is measured says `model/rationales.py` of the gate, and
`model/faithfulness.py` of every explanation.
"""

import argparse
import json
import statistics
import subprocess
import sys
from collections import defaultdict
from dataclasses import asdict
from pathlib import Path

import torch
from sklearn.feature_extraction.text import ENGLISH_STOP_WORDS

from bench.explanations import attention_received, chance, gradient_times_input
from bench.report import Report
from model.batching import encode
from model.data import Splits, read_splits
from model.evaluation import evaluate
from model.faithfulness import faithfulness
from model.modeling import T5ForSentimentClassification
from model.optimization import pick_precision
from model.rationales import rank_words, rationales_of, sentiment_words, word_scores
from model.tokenizer import load_tokenizer
from pipeline_steps.files import file_hash, write_atomically
from pipeline_steps.model_artefacts import TrainingReport

FOLDER = Path("build/bench/rationales")
GATE, CROSS_ENTROPY, MEAN = "REINFORCE gate", "cross-entropy gate", "mean pooling"
GRADIENT, ATTENTION, RANDOM = "gradient x input", "attention", "random"
TRAININGS = {
    GATE: ["--reinforce", "true"],
    CROSS_ENTROPY: ["--reinforce", "false"],
    MEAN: ["--reinforce", "false", "--pooling", "mean"],
}
OF_GATE = {  # names of `Rationales`, as those of the other explanations are built
    "gate_auc": "gate: AUC",
    "comprehensiveness": "gate: comprehensiveness",
    "sufficiency": "gate: sufficiency",
}
POINTS = 100  # hundredths of accuracy
MEASURING = [  # what is measured anew when one of these changes
    Path(__file__).parents[1] / name
    for name in (
        *("bench/rationales.py", "bench/explanations.py"),
        *("model/rationales.py", "model/faithfulness.py"),
    )
]
Figures = dict[tuple[str, str], list[float]]  # system and metric: its value with each seed


def main() -> int:
    """Run the benchmark; returns 1 where a bar is not met."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--data", required=True, help="folder of SST-2")
    parser.add_argument("--backbone", required=True, help="folder of the backbone")
    parser.add_argument("--steps", type=int, default=300, help="steps a training (300)")
    parser.add_argument("--seeds", type=int, default=3, help="trainings of each kind (3)")
    arguments = parser.parse_args()
    splits = read_splits(arguments.data)
    figures: Figures = defaultdict(list)
    for seed in range(arguments.seeds):
        for system, flags in TRAININGS.items():
            checkpoint = _train(system, flags, seed, arguments)
            for metric, value in _figures(checkpoint, splits, seed).items():
                figures[system, metric].append(value)
    report = Report("rationales")
    for (system, metric), values in figures.items():
        report.row(system, metric, statistics.mean(values), "", spread=max(values) - min(values))
    _compare(report, figures)
    return report.finish()


def _train(system: str, flags: list[str], seed: int, arguments: argparse.Namespace) -> Path:
    """Train unless it has been done; the folder of the checkpoint."""
    folder = FOLDER / f"{system.replace(' ', '-').lower()}-{seed}"
    asked = [
        *("--profile", "sst2", "--build-dir", str(folder), "--threads", "1"),
        *("--data", arguments.data, "--backbone", arguments.backbone, "--seed", str(seed)),
        *("--epochs", "1", "--max-steps", str(arguments.steps), "--evaluations-per-epoch", "1"),
    ]
    print(f"== {system}, seed {seed}", flush=True)
    for step in ("check_data", "train"):
        subprocess.run([sys.executable, "-m", f"pipeline_steps.{step}", *asked, *flags], check=True)
    return folder / "sst2" / "checkpoint"


def _figures(checkpoint: Path, splits: Splits, seed: int) -> dict[str, float]:
    """What was measured of a trained model, or is measured now."""
    known = {
        "model": TrainingReport.load(checkpoint).fingerprint,
        "sources": [file_hash(path) for path in MEASURING],
    }
    path = checkpoint.parent / "measured.json"
    if path.is_file():
        found = json.loads(path.read_bytes())
        if found["of"] == known:
            return dict(found["figures"])
    precision = pick_precision("auto", torch.device("cpu"))
    with torch.autocast("cpu", torch.bfloat16, enabled=precision == "bf16"):  # as in training
        figures = _measured(checkpoint, splits, seed)
    text = json.dumps({"of": known, "figures": figures}, indent=2)
    write_atomically(path, lambda temporary: temporary.write_text(text, encoding="utf-8"))
    return figures


def _measured(checkpoint: Path, splits: Splits, seed: int) -> dict[str, float]:
    model = T5ForSentimentClassification.from_pretrained(checkpoint)
    tokenizer = load_tokenizer(str(checkpoint))
    texts = [example.sentence for example in splits.validation]
    sequences = encode(tokenizer, texts, model.config.max_input_tokens)
    figures: dict[str, float] = {}
    if model.config.pooling == "gate":
        of_gate = asdict(rationales_of(model, tokenizer, splits))
        figures |= {OF_GATE.get(name, name): value for name, value in of_gate.items()}
    else:
        labels = [example.label for example in splits.validation]
        figures["accuracy"] = evaluate(model, sequences, labels)[0]
    others = {GRADIENT: gradient_times_input(model, sequences)}
    if model.config.gate_reads == "embedding":
        others[ATTENTION] = attention_received(model, sequences)
        others[RANDOM] = chance(sequences, seed)
    sentiment = sentiment_words(splits.train)
    for name, scores in others.items():
        print(f"measuring {name}", flush=True)
        measured = faithfulness(model, sequences, scores)
        figures[f"{name}: comprehensiveness"] = measured.comprehensiveness
        figures[f"{name}: sufficiency"] = measured.sufficiency
        # A word that speaks for the other class counts as much: by size, whatever the sign.
        sizes = [[abs(score) for score in of_text] for of_text in scores]
        words = word_scores(tokenizer, sequences, sizes)
        figures[f"{name}: AUC"] = rank_words(words, sentiment, ENGLISH_STOP_WORDS).auc
    return figures


def _compare(report: Report, figures: Figures) -> None:
    """Hold the REINFORCE gate to what was promised."""

    def lead(metric: str, other: str, of_other: str) -> float:
        return statistics.mean(figures[GATE, metric]) - statistics.mean(figures[other, of_other])

    report.row(GATE, "AUC of words", statistics.mean(figures[GATE, "gate: AUC"]), "", ">= 0.85")
    lost = -POINTS * lead("accuracy_of_highest", GATE, "accuracy")
    report.row(GATE, "lost with only 40 % of the tokens", lost, "points", "<= 2")
    gained = POINTS * lead("accuracy", MEAN, "accuracy")
    report.row(GATE, "accuracy less mean pooling's", gained, "points", ">= 0")
    for other, name in ((MEAN, GRADIENT), (GATE, ATTENTION), (GATE, RANDOM)):
        for metric, sign in (("comprehensiveness", 1), ("sufficiency", -1)):
            ahead = sign * lead(f"gate: {metric}", other, f"{name}: {metric}")
            report.row(GATE, f"{metric} ahead of {name} ({other})", ahead, "", "> 0")


if __name__ == "__main__":
    sys.exit(main())
