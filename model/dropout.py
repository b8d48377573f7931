"""Dropout for training on CPU, on fewer random numbers.

torch draws a number of 24 bits or more for each unit, which takes a fifth of a training step here.
16 bits decide as well: the probability is met to 1/65536, and drawing and masking take a fifth of
the time. On a GPU torch's own is one fused kernel, and stays.
"""

import torch
from torch import Tensor, nn

BITS = 16
PER_DRAW = 64 // BITS


class BitDropout(nn.Dropout):
    """`nn.Dropout` whose decisions are 16 bits of a 64-bit draw each."""

    def forward(self, states: Tensor) -> Tensor:
        """Drop units with probability `p` and scale the others by 1 / (1 - p), in training only."""
        dropped = round(self.p * 2**BITS)
        if not self.training or not dropped:
            return states
        draws = torch.empty(-(-states.numel() // PER_DRAW), dtype=torch.int64)
        draws.random_(-(2**63), None)  # all 64 bits; without bounds the highest stays 0
        decisions = draws.view(torch.int16)[: states.numel()].view(states.shape)
        kept = decisions >= dropped - 2 ** (BITS - 1)
        # As bytes: torch converts booleans to floats eight times slower.
        scaled = kept.view(torch.uint8).to(states.dtype).mul_(1 / (1 - dropped / 2**BITS))
        return states * scaled


def use_bit_dropout(model: nn.Module) -> None:
    """Replace each `nn.Dropout` in `model`; it holds no weights, so a checkpoint stays the same."""
    for name, module in list(model.named_modules()):
        if type(module) is nn.Dropout:
            model.set_submodule(name, BitDropout(module.p).train(module.training))
