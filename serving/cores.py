"""How many cores this process really has: a container sees the machine's, and may use a few."""

import math
import os
from pathlib import Path

CGROUPS = Path("/sys/fs/cgroup")


def usable_cores(cgroups: Path = CGROUPS) -> int:
    """What affinity and the container's quota both allow, rounded up; at least 1."""
    # macOS has no affinity
    affinity = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return max(1, math.ceil(min(affinity or 1, _quota(cgroups))))


def _quota(cgroups: Path) -> float:
    """Cores that the kernel lets this control group use; infinity without a limit."""
    files = (
        ("cpu.max",),  # version 2: "150000 100000" or "max 100000"
        ("cpu/cpu.cfs_quota_us", "cpu/cpu.cfs_period_us"),  # version 1: "150000" or "-1", "100000"
    )
    for names in files:
        paths = [cgroups / name for name in names]
        if all(path.is_file() for path in paths):
            quota, period = " ".join(path.read_text(encoding="ascii") for path in paths).split()
            return math.inf if quota in ("max", "-1") else int(quota) / int(period)
    return math.inf
