"""The report as one HTML file: what `report_content` tells, with plots, in a page that asks nobody.

Jinja2 escapes every text (autoescape), and a page's policy forbids scripts and requests: sentences
of a data set are nobody's markup.
"""

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from pipeline_steps import plots
from pipeline_steps.evaluation_artefacts import Evaluation, Mistake
from pipeline_steps.plots import Plot
from pipeline_steps.report_content import (
    Content,
    by_capability,
    champion_note,
    confusion,
    curve_points,
    curve_table,
    figures,
    interval,
    pass_rate,
    percent,
    ranked,
    training_note,
    verdict,
    verdict_on_file,
)

OPEN_MISTAKES = 10  # the others are folded
TEMPLATES = Path(__file__).parent / "templates"
# What HTML cannot hold: control characters, halves of surrogate pairs, characters that are none.
IMPOSSIBLE = re.compile(
    "[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff\ufdd0-\ufdef\ufffe\uffff]"
)


@dataclass(frozen=True)
class Piece:
    """A stretch of a text; `gate` is None for what is between the tokens."""

    text: str
    gate: float | None


def render(content: Content) -> str:
    """The whole page."""
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=possible,
        trim_blocks=True,
    )
    environment.filters.update(
        interval=interval, pass_rate=pass_rate, percent=percent, pieces=pieces
    )
    return environment.get_template("report.html.j2").render(_view(content))


def possible(value: Any) -> Any:
    """`value` without the characters that no page may hold, each shown as the one for "unknown"."""
    if isinstance(value, str) and not isinstance(value, Markup):
        return IMPOSSIBLE.sub("\ufffd", value)
    return value


def pieces(mistake: Mistake) -> Iterator[Piece]:
    """The text of a mistake, cut at its tokens; all of it, in order, once."""
    end = 0
    for token in mistake.explanation:
        if end <= token.start < token.end:
            yield Piece(mistake.text[end : token.start], None)
            yield Piece(mistake.text[token.start : token.end], token.gate)
            end = token.end
    yield Piece(mistake.text[end:], None)


def _view(content: Content) -> dict[str, Any]:
    """Everything that the template names."""
    evaluation, data, training = content.evaluation, content.data, content.training
    level, line = (verdict_on_file if content.file else verdict)(evaluation)
    labels, counts = confusion(evaluation)
    points = curve_points(training) if training else []
    curve_head, curve_rows = curve_table(points)
    return {
        "content": content,
        "sections": _sections(content),
        "plots": _plots(content, points),
        "level": level,
        "line": line,
        "tiles": _tiles(content),
        "ranked_rules": ranked(evaluation.rules),
        "command": _command(content),
        # A champion is asked about the validation split only.
        "figure_head": ["", "this model", "bar", "champion"][: 3 if content.file else 4],
        "figure_rows": [
            (each.name, each.value, each.bar, each.champion)[: 3 if content.file else 4]
            for each in figures(evaluation, content.settings.gate.min_accuracy)
        ],
        "champion_note": "" if content.file else champion_note(evaluation.champion),
        "open_mistakes": OPEN_MISTAKES,
        "training_note": training_note(training) if training else "",
        "curve_head": curve_head,
        "curve_rows": curve_rows,
        "labels": labels,
        "wrong": sum(map(sum, counts)) - sum(counts[place][place] for place in range(len(labels))),
        "class_rows": [
            (
                name,
                *(percent(rates[key]) for key in ("precision", "recall", "f1")),
                f"{rates['rows']:,.0f}",
            )
            for name, rates in evaluation.per_class.items()
        ],
        "calibration_rows": _calibration_rows(evaluation),
        "capabilities": by_capability(evaluation),
        "gate_rows": [
            (name.replace("_", " "), "none" if value is None else f"{value:.3f}")
            for name, value in (evaluation.rationales or {}).items()
        ],
        "split_rows": [
            (name, f"{split.rows:,}", percent(split.positive_share), f"{split.mean_words:.1f}")
            for name, split in (data.splits.items() if data else ())
        ],
        "known": _lineage(content),
        "folded": _folded(content),
    }


def _command(content: Content) -> str:
    """What writes this page again."""
    flags = f"--profile {content.settings.profile}"
    if content.file is None:
        return f"python -m pipeline_steps.report {flags}"
    return f"python -m pipeline_steps.evaluate_file {flags} --input {shlex.quote(content.file)}"


def _sections(content: Content) -> dict[str, str]:
    """The sections that have something to tell, in order: their names and titles."""
    evaluation, training = content.evaluation, content.training
    found = {
        "rules": ("Rules", evaluation.rules),
        "figures": ("Against the bars" if content.file else "Against bar and champion", True),
        "training": ("Training", training and training.result.get("history")),
        "confusion": ("Right and wrong", True),
        "calibration": ("Calibration", evaluation.calibration),
        "slices": ("Slices", any(each.interval for each in evaluation.slices)),
        "behaviour": ("Behaviour", evaluation.behaviour),
        "mistakes": ("Worst mistakes", evaluation.mistakes),
        "gate": ("The gate", evaluation.rationales),
        "data": ("Data", content.data),
        "lineage": ("Where it comes from", True),
        "live": ("Where it serves", content.places),
        "cost": ("Cost", True),
    }
    return {name: title for name, (title, there) in found.items() if there}


def _tiles(content: Content) -> list[tuple[str, ...]]:
    evaluation, bar = content.evaluation, content.settings.gate.min_accuracy
    tiles: list[tuple[str, ...]] = [
        ("Accuracy", percent(evaluation.accuracy),
         f"{interval(evaluation.accuracy_interval)}; bar {percent(bar)}"),
    ]  # fmt: skip
    champion = evaluation.champion
    if champion and champion.accuracy is not None:
        points = 100 * (evaluation.accuracy - champion.accuracy)
        tiles.append(("Champion", f"{points:+.1f}", f"points on its {percent(champion.accuracy)}"))
    if evaluation.calibration:
        now = evaluation.calibration.after.ece
        then = evaluation.calibration.before.ece
        tiles.append(("Calibration", f"{now:.3f}", f"{then:.3f} before"))
    if evaluation.behaviour:
        cases = sum(test.cases for test in evaluation.behaviour)
        passed = percent(pass_rate(evaluation.behaviour))
        tiles.append(("Behaviour", passed, f"of {cases:,} cases"))
    if evaluation.footprint:
        size, time = evaluation.footprint.megabytes, evaluation.footprint.median_milliseconds
        tiles.append(("Size", f"{size:.1f} MB", f"{time:.1f} ms a sentence"))
    if content.cost:
        requests = content.settings.cost.requests_per_month
        tiles.append(("Cost a month", f"${content.cost.total:,.2f}", f"with {requests:,} requests"))
    return tiles


def _plots(content: Content, points: list[dict[str, Any]]) -> dict[str, Any]:
    evaluation, training = content.evaluation, content.training
    found: dict[str, Any] = {"curves": []}
    if training and points:
        found["curves"] = list(_curves(points, training.result.get("best_step")))
    if evaluation.calibration:
        found["reliability"] = plots.reliability(evaluation.calibration)
    if any(each.interval for each in evaluation.slices):
        found["slices"] = plots.slices(evaluation.slices, evaluation.accuracy)
    if content.data:
        found["lengths"] = plots.lengths(content.data.splits)
    return found


def _curves(points: list[dict[str, Any]], best: int | None) -> Iterator[Plot]:
    steps = [point["step"] for point in points]
    for name, title, lines in (
        ("loss", "Loss, in nats", {"training": "train_loss", "validation": "validation_loss"}),
        ("accuracy", "Accuracy on the validation set", {"accuracy": "validation_accuracy"}),
        ("reward", "Reward of the gate's policy, in nats", {"reward": "reward"}),
        ("kept", "Share of tokens that the gate keeps", {"kept": "kept_share"}),
        ("entropy", "Entropy of a decision, in nats", {"entropy": "entropy"}),
    ):
        values: dict[str, list[Any]] = {
            label: [point.get(key) for point in points] for label, key in lines.items()
        }
        if all(value is not None for line in values.values() for value in line):
            yield plots.curve(name, title, steps, values, best, shares=name in ("accuracy", "kept"))


def _calibration_rows(evaluation: Evaluation) -> list[tuple[str, str, str]]:
    found = evaluation.calibration
    if found is None:
        return []
    return [
        ("expected calibration error", f"{found.before.ece:.4f}", f"{found.after.ece:.4f}"),
        ("Brier score", f"{found.before.brier:.4f}", f"{found.after.brier:.4f}"),
        ("temperature", "1", f"{found.temperature:.3f}"),
    ]


def _lineage(content: Content) -> list[tuple[str, Any]]:
    evaluation, training, exported = content.evaluation, content.training, content.exported
    manifest = content.manifest
    found: list[tuple[str, Any]] = [("Model", evaluation.model_version)]
    if training:
        inputs = training.inputs
        found += [
            ("Fingerprint", training.fingerprint),
            ("Trained at commit", _commit(training.git)),
            ("Backbone", inputs.get("backbone")),
            ("Tokenizer", inputs.get("tokenizer")),
            ("Training job", training.trained_in.get("job")),
            ("Its image", training.trained_in.get("image")),
        ]
    if exported:
        precision = exported.precisions[-1].name if exported.precisions else "fp32"
        found += [
            ("Exported at commit", _commit(exported.git)),
            ("Runtime", f"{exported.runtime}, {precision}"),
            ("Parameters", f"{exported.parameters:,}"),
        ]
    found += [
        ("Hash of its rows" if content.file else "Hash of the data", evaluation.data_hash),
        ("Hash of the candidate", evaluation.candidate_hash),
    ]
    if manifest:
        found.append(
            (
                "model.tar.gz",
                f"{manifest.tarball_bytes / 1e6:.1f} MB, SHA-256 {manifest.tarball_sha256}",
            )
        )
    return found


def _commit(git: dict[str, Any]) -> str:
    commit = git.get("commit")
    return f"{commit}, with changes" if commit and git.get("dirty") else commit or "none"


def _folded(content: Content) -> dict[str, list[tuple[str, Any]]]:
    """What only some want to see: settings, versions, files."""
    training, exported = content.training, content.exported
    settings = training.inputs.get("training", {}) if training else {}
    packages = exported.package_versions | exported.inputs.get("packages", {}) if exported else {}
    return {
        "Settings of the training": [(name, str(value)) for name, value in settings.items()],
        "Versions that trained": list(training.package_versions.items()) if training else [],
        "Versions that exported": list(packages.items()),
        "Files of the candidate, by their SHA-256": list(exported.files.items())
        if exported
        else [],
    }
