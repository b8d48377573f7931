"""Computes the model with ONNX Runtime, from `model.onnx`; needs no torch."""

from pathlib import Path

import numpy as np
import onnxruntime

INPUTS, OUTPUTS = ["input_ids", "attention_mask"], ["logits", "gate_scores"]


class OnnxRuntime:
    """Computes one text after the other, on the core that asks.

    An int8 model scales its activations by the largest of the whole batch: in a padded batch, a
    text's answer would depend on its neighbours. Alone it does not, and nothing is padded;
    docs/performance.md tells what it costs.
    """

    batch_size = 1

    def __init__(self, session: onnxruntime.InferenceSession) -> None:
        self._session = session

    def run(self, ids: np.ndarray, mask: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Give logits (B, C) and gate scores (B, T)."""
        logits, gates = self._session.run(OUTPUTS, dict(zip(INPUTS, (ids, mask), strict=True)))
        return logits, gates


def load(folder: Path) -> OnnxRuntime:
    """Load `folder`'s model.

    Raises:
        ValueError: it has other inputs or outputs than export writes.
    """
    options = onnxruntime.SessionOptions()
    # Requests are answered side by side: threads inside one would only contend with the others.
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 3  # errors; warnings are about its own optimizations
    session = onnxruntime.InferenceSession(
        str(folder / "model.onnx"), options, providers=["CPUExecutionProvider"]
    )
    names = [
        [value.name for value in values] for values in (session.get_inputs(), session.get_outputs())
    ]
    if names != [INPUTS, OUTPUTS]:
        raise ValueError(f"its inputs and outputs are {names}, expected {[INPUTS, OUTPUTS]}")
    return OnnxRuntime(session)
