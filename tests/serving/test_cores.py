"""The cores that a container may use, as both versions of control groups tell them."""

import os
from pathlib import Path

import pytest
from cores import usable_cores


@pytest.mark.parametrize(
    ("files", "quota"),
    [
        ({}, 1000),
        ({"cpu.max": "max 100000\n"}, 1000),
        ({"cpu.max": "50000 100000\n"}, 1),
        ({"cpu.max": "110000 100000\n"}, 2),
        ({"cpu/cpu.cfs_quota_us": "-1\n", "cpu/cpu.cfs_period_us": "100000\n"}, 1000),
        ({"cpu/cpu.cfs_quota_us": "150000\n", "cpu/cpu.cfs_period_us": "100000\n"}, 2),
    ],
)
def test_quota_and_affinity_both_bound(
    tmp_path: Path, files: dict[str, str], quota: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    for affinity in (1, 8):
        allowed = set(range(affinity))
        monkeypatch.setattr(os, "sched_getaffinity", lambda _, a=allowed: a, raising=False)
        assert usable_cores(tmp_path) == min(quota, affinity)
