"""The trained model as ONNX, and the proof that it computes the same.

`torch.onnx.export` traces with fixed attention ("eager"): its decompositions fail on the strided
views of the fused one. Batch and length stay open; the same checkpoint gives the same bytes.

    export_onnx(Path("checkpoint"), Path("model.onnx"))
"""

import copy
import logging
import math
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import onnx
import torch
from torch import Tensor, nn
from transformers.models.t5.modeling_t5 import T5LayerNorm

from model.checkpoint import load_saved
from model.modeling import T5ForSentimentClassification
from model.onnx_session import INPUTS, OUTPUTS, OnnxSession

OPSET = 20
TOLERANCE = 1e-3  # in logits and gates: float rounding, summed over the layers
EXPORTER_LOG = "torch.onnx._internal.exporter._registration"


class OnnxExportError(RuntimeError):
    """The exported model does not compute what the checkpoint does; the message says how far."""


class _TwoOutputs(nn.Module):
    def __init__(self, model: T5ForSentimentClassification) -> None:
        super().__init__()
        self.model = copy.deepcopy(model)  # what is exported is compared with the model as it was
        for parent in list(self.model.modules()):
            for name, child in parent.named_children():
                if isinstance(child, T5LayerNorm):
                    setattr(parent, name, _Norm(child))

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> tuple[Tensor, Tensor]:
        output = self.model(input_ids=input_ids, attention_mask=attention_mask)
        return output.logits, output.gate_scores


class _Norm(nn.Module):
    """T5's norm as a division, which ONNX Runtime fuses into one operation.

    It knows no pattern with the product by a reciprocal root, as transformers writes it.
    """

    def __init__(self, norm: T5LayerNorm) -> None:
        super().__init__()
        self.weight, self.epsilon = norm.weight, norm.variance_epsilon

    def forward(self, hidden: Tensor) -> Tensor:
        variance = hidden.pow(2).mean(-1, keepdim=True)
        return self.weight * (hidden / torch.sqrt(variance + self.epsilon))


def export_onnx(checkpoint: Path, path: Path, sequences: Sequence[list[int]]) -> None:
    """Write the model of `checkpoint` to `path` in float32, and check it on real `sequences`.

    Args:
        checkpoint: folder of `model.safetensors` and `config.json`.
        path: of the ONNX file; all weights are inside it.
        sequences: token ids of some sentences.

    Raises:
        OnnxExportError: logits or gates differ by more than `TOLERANCE`, or are no finite numbers.
    """
    model = load_saved(checkpoint, attn_implementation="eager")
    # A batch of one would be taken for a constant.
    ids = torch.tensor([[3, 4, 1], [3, 1, 0]])
    batch, tokens = torch.export.Dim("batch"), torch.export.Dim("tokens")
    with _quiet_exporter():
        program = torch.onnx.export(
            _TwoOutputs(model).eval(),
            (ids, (ids != 0).long()),
            dynamo=True,
            verbose=False,
            opset_version=OPSET,
            input_names=INPUTS,
            output_names=OUTPUTS,
            dynamic_shapes=({0: batch, 1: tokens}, {0: batch, 1: tokens}),
        )
    assert program is not None  # noqa: S101 - what dynamo=True promises
    onnx.save(_stripped(program.model_proto), path)
    difference = largest_difference(model, OnnxSession(path), sequences)
    if not math.isfinite(difference):
        raise OnnxExportError(
            f"Logits or gates of the checkpoint or of {path} are no finite numbers on real text. "
            "Evaluate the checkpoint with --runtime pytorch: if it fails too, train it again."
        )
    if difference > TOLERANCE:
        raise OnnxExportError(
            f"{path} differs from the checkpoint by {difference:.2g} in logits or gates on real "
            f"text, expected at most {TOLERANCE}. Ship it with --runtime pytorch, and report this "
            "with the versions of torch and onnx."
        )


@torch.inference_mode()
def largest_difference(
    model: T5ForSentimentClassification, session: OnnxSession, sequences: Sequence[list[int]]
) -> float:
    """How far logits and gates of `session` are from `model`'s, at most; NaN where one is NaN."""
    differences = []
    for sequence in sequences:
        output = model(input_ids=torch.tensor([sequence]))
        logits, gates = session.run(sequence)
        differences.append((output.logits - torch.from_numpy(logits)).abs().max())
        differences.append((output.gate_scores - torch.from_numpy(gates)).abs().max())
    return float(torch.stack(differences).max())  # unlike Python's max, it keeps a NaN


def _stripped(proto: onnx.ModelProto) -> onnx.ModelProto:
    """Without traces of where it was made: stack traces hold paths, and would change the bytes."""
    graph = proto.graph
    for item in (
        *(proto, graph, *graph.node, *graph.input, *graph.output),
        *(*graph.initializer, *graph.value_info),
    ):
        del item.metadata_props[:]
        item.doc_string = ""
    return proto


@contextmanager
def _quiet_exporter() -> Iterator[None]:
    """Keep the exporter's warnings off the terminal: they are about itself, not about the model."""
    log = logging.getLogger(EXPORTER_LOG)
    level = log.level
    log.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        log.setLevel(level)
