"""An ONNX model on the CPU, asked sequence by sequence as the container asks it."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import onnxruntime

INPUTS, OUTPUTS = ["input_ids", "attention_mask"], ["logits", "gate_scores"]


class OnnxSession:
    """A loaded `model.onnx`."""

    def __init__(self, path: Path) -> None:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        options.log_severity_level = 3  # errors
        self._session = onnxruntime.InferenceSession(
            str(path), options, providers=["CPUExecutionProvider"]
        )

    def run(self, sequence: Sequence[int]) -> tuple[np.ndarray, np.ndarray]:
        """Give logits (1, C) and gates (1, T) for one sequence of T token ids."""
        ids = np.array([sequence], dtype=np.int64)
        logits, gates = self._session.run(OUTPUTS, {INPUTS[0]: ids, INPUTS[1]: np.ones_like(ids)})
        return logits, gates

    def logits(self, sequences: Sequence[list[int]]) -> np.ndarray:
        """Give the logits (N, C) of N sequences, each computed alone."""
        return np.concatenate([self.run(sequence)[0] for sequence in sequences])
