"""A float32 ONNX model in int8, as far as its answers bear it; what they bear is measured.

Dynamic quantization (https://onnxruntime.ai/docs/performance/model-optimizations/quantization.html):
weights are int8 with a scale for each column, activations are scaled anew at each call. The weights
use 7 of their 8 bits: on processors without VNNI the sum of two products could overflow its 16
bits otherwise, and the same model would answer differently there.

The candidates, from the smallest: all layers in int8; the layers that change the answers most in
float32, an eighth, a quarter and half of them; everything in float32. The first that loses no more
accuracy than allowed is taken.
"""

import logging
import math
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx
from onnxruntime.quantization import QuantType, quantize_dynamic
from onnxruntime.quantization.shape_inference import quant_pre_process

from model.onnx_session import OnnxSession

KINDS = ["MatMul", "Gather"]  # layers that hold weights: the projections, and the embeddings
PROBES = 64  # sentences on which each layer's harm is measured
KEPT_SHARES = (1 / 8, 1 / 4, 1 / 2)


@dataclass(frozen=True)
class Sentences:
    """Token ids with their labels."""

    sequences: Sequence[list[int]]
    labels: Sequence[int]

    def accuracy(self, session: OnnxSession) -> float:
        """The share that `session` labels right."""
        answers = session.logits(self.sequences).argmax(axis=1)
        return float(np.mean(answers == np.array(self.labels)))


@dataclass(frozen=True)
class Candidate:
    """A precision that was tried: its size, and the accuracy on each set of sentences."""

    name: str
    bytes: int
    accuracy: dict[str, float]
    kept: list[str]


def choose(
    source: Path, target: Path, sets: Mapping[str, Sentences], max_points_lost: float
) -> list[Candidate]:
    """Write to `target` the smallest precision of `source` that is accurate enough.

    Args:
        source: the model in float32.
        target: where the chosen one goes.
        sets: sentences by name; none may lose too much. The first also ranks the layers.
        max_points_lost: points (hundredths of accuracy) that may be lost against float32.

    Returns:
        The float32 model, then each that was tried; the last of these is the chosen one.
    """
    with tempfile.TemporaryDirectory(prefix=".quantizing-", dir=target.parent) as name:
        prepared = Path(name) / "prepared.onnx"
        quant_pre_process(str(source), str(prepared))
        exact = _measure("fp32", source, sets, [])
        tried = [exact]
        for label, kept in _precisions(prepared, next(iter(sets.values()))):
            quantize(prepared, target, kept)
            tried.append(_measure(label, target, sets, kept))
            if points_lost(exact, tried[-1]) <= max_points_lost:
                return tried
    target.write_bytes(source.read_bytes())
    return [*tried, exact]


def points_lost(exact: Candidate, other: Candidate) -> float:
    """The points of accuracy that `other` loses on the set where it loses most."""
    return max(100 * (exact.accuracy[name] - other.accuracy[name]) for name in exact.accuracy)


def _precisions(prepared: Path, probes: Sentences) -> Iterator[tuple[str, list[str]]]:
    yield "int8", []
    ranked = rank_layers(prepared, probes.sequences[:PROBES])
    for share in KEPT_SHARES:
        kept = ranked[: math.ceil(share * len(ranked))]
        yield f"int8, {len(kept)} of {len(ranked)} layers fp32", kept


def rank_layers(prepared: Path, sequences: Sequence[list[int]]) -> list[str]:
    """The layers by how much each, alone in int8, changes the logits; the worst first."""
    layers = _layers(prepared)
    exact = OnnxSession(prepared).logits(sequences)
    harm = {}
    with tempfile.TemporaryDirectory(prefix=".probing-", dir=prepared.parent) as name:
        path = Path(name) / "probe.onnx"
        for layer in layers:
            quantize(prepared, path, [other for other in layers if other != layer])
            harm[layer] = float(np.abs(OnnxSession(path).logits(sequences) - exact).mean())
    return sorted(layers, key=lambda layer: -harm[layer])


def _layers(path: Path) -> list[str]:
    graph = onnx.load(path).graph
    weights = {item.name: len(item.dims) for item in graph.initializer}
    # Of the others, a MatMul multiplies activations with each other, and a Gather reads a shape.
    return [
        node.name
        for node in graph.node
        if node.op_type in KINDS and any(weights.get(name, 0) > 1 for name in node.input)
    ]


def quantize(source: Path, target: Path, kept: Sequence[str]) -> None:
    """Write `source` in int8 to `target`, the layers `kept` as they are."""
    root = logging.getLogger()
    level = root.level
    # It logs to the root that the source was not prepared, though it was.
    root.setLevel(logging.ERROR)
    try:
        quantize_dynamic(
            str(source),
            str(target),
            op_types_to_quantize=KINDS,
            nodes_to_exclude=list(kept),
            weight_type=QuantType.QInt8,
            per_channel=True,
            reduce_range=True,
        )
    finally:
        root.setLevel(level)


def _measure(name: str, path: Path, sets: Mapping[str, Sentences], kept: list[str]) -> Candidate:
    session = OnnxSession(path)
    accuracy = {label: sentences.accuracy(session) for label, sentences in sets.items()}
    return Candidate(name, path.stat().st_size, accuracy, kept)
