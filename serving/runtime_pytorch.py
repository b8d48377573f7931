"""Computes the model with PyTorch, from `model.safetensors` and the model's own source."""

from pathlib import Path

import numpy as np
import torch

from model.modeling import T5ForSentimentClassification


class PyTorchRuntime:
    """Computes in the precision of the weights; padding changes an answer by float rounding."""

    batch_size = 32

    def __init__(self, classifier: T5ForSentimentClassification) -> None:
        self._classifier = classifier

    @torch.inference_mode()
    def run(self, ids: np.ndarray, mask: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Give logits (B, C) and gate scores (B, T)."""
        output = self._classifier(
            input_ids=torch.from_numpy(ids), attention_mask=torch.from_numpy(mask)
        )
        return output.logits.float().numpy(), output.gate_scores.float().numpy()


def load(folder: Path) -> PyTorchRuntime:
    """Load the weights of `folder`; nothing is unpickled."""
    classifier = T5ForSentimentClassification.from_pretrained(
        str(folder), local_files_only=True, use_safetensors=True
    )
    return PyTorchRuntime(classifier.eval())
