"""What the training loop computes with: device, precision, AdamW's groups, the learning rate."""

import math
import re
import resource
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import nn

from model.modeling import T5ForSentimentClassification
from model.settings import TrainingSettings


def pick_device() -> torch.device:
    """Choose the GPU if there is one: the one that was made current, where there are several."""
    if torch.cuda.is_available():
        return torch.device("cuda", torch.cuda.current_device())
    return torch.device("cpu")


def seed_of(seed: int, step: int, rank: int) -> int:
    """What a step's random numbers begin from, in the process `rank` of a run.

    As each step has a seed of its own, no random state need be saved to resume exactly, and a step
    that ran out of memory can be taken again. Mixed by primes, so that neighbours share nothing.
    """
    return ((seed * 1_000_003 + step) * 1_009 + rank) % 2**63


def pick_precision(precision: str, device: torch.device) -> str:
    """Resolve "auto": bf16 where the hardware multiplies it, else fp32."""
    if precision != "auto":
        return precision
    if device.type == "cuda":
        return "bf16" if torch.cuda.is_bf16_supported(including_emulation=False) else "fp32"
    capabilities = torch.cpu.get_capabilities()
    has_bf16 = capabilities.get("avx512_bf16") or capabilities.get("amx_bf16")
    return "bf16" if has_bf16 else "fp32"


@contextmanager
def cpu_threads(count: int) -> Iterator[None]:
    """Let torch use `count` threads on CPU for a while; 0 leaves its own choice.

    The last bits of a sum depend on the count, so a fixed one repeats on other machines too; and
    threads that share a core with another process wait for each other at every operation.
    """
    before = torch.get_num_threads()
    torch.set_num_threads(count or before)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def peak_memory_bytes(device: torch.device) -> int:
    """Most memory held so far: allocated on the GPU, or resident in this process on CPU."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024  # Linux counts in KiB


def parameter_groups(
    model: T5ForSentimentClassification, settings: TrainingSettings
) -> list[dict[str, Any]]:
    """Split the weights by part (backbone, gate, head) and by decay (matrices only).

    Each group keeps its peak learning rate under "peak", for the schedule to scale. The backbone's
    is lower the deeper a layer lies, by `layer_decay` a layer, embeddings being the deepest.
    """
    rates = {"gate": settings.gate_learning_rate, "classifier": settings.head_learning_rate}
    embeddings = {id(item.weight) for item in model.modules() if isinstance(item, nn.Embedding)}
    groups: dict[tuple[str, float, bool], dict[str, Any]] = {}
    for name, parameter in model.named_parameters():
        part = name.split(".")[0]
        above = _layers_above(name, model.config.num_layers)
        rate = rates.get(part, settings.learning_rate * settings.layer_decay**above)
        decays = parameter.ndim > 1 and id(parameter) not in embeddings
        group = {"params": [], "lr": rate, "peak": rate}
        group["weight_decay"] = settings.weight_decay if decays else 0.0
        key = (part if part in rates else "backbone", rate, decays)
        groups.setdefault(key, group)["params"].append(parameter)
    return list(groups.values())


def _layers_above(name: str, layers: int) -> int:
    """How many layers lie between a weight of the backbone and the head, its own among them."""
    found = re.match(r"encoder\.block\.(\d+)\.", name)
    if found:
        return layers - int(found[1])
    return 0 if name.startswith("encoder.final_layer_norm") else layers + 1


def plan_steps(epoch_steps: int, settings: TrainingSettings) -> tuple[int, set[int]]:
    """How many steps a run has, and after which of them it is evaluated: evenly, and at the end."""
    all_steps = settings.epochs * epoch_steps
    total_steps = min(all_steps, settings.max_steps or all_steps)
    evaluations = settings.epochs * settings.evaluations_per_epoch
    every = all_steps / evaluations
    return total_steps, {total_steps, *(round(every * n) for n in range(1, evaluations + 1))}


def rate_share(step: int, total_steps: int, warmup_share: float) -> float:
    """Share of the peak learning rate at `step` (from 0): up linearly, then down to 0."""
    warmup_steps = math.ceil(warmup_share * total_steps)
    if step < warmup_steps:
        return (step + 1) / warmup_steps
    return (total_steps - step) / (total_steps - warmup_steps)
