"""Count the CPU cores that this process may use."""

import os
from collections.abc import Iterator
from pathlib import Path

CGROUPS = Path("/sys/fs/cgroup")


def available_cores() -> int:
    """Return how many cores this process may run on, at most its container's CPU quota and at least 1."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, min([cores, *map(int, cpu_quotas(CGROUPS, _own_group()))]))


def cpu_quotas(root: Path, group: str) -> Iterator[float]:
    """Yield the CPU quotas, in cores, of a control group and those above it (`cpu.max` of cgroup v2, else v1's)."""
    folder = root / group.strip("/")
    for place in (folder, *folder.parents):
        try:
            quota, period = (place / "cpu.max").read_text().split()
            if quota != "max":
                yield int(quota) / int(period)
        except (OSError, ValueError, ZeroDivisionError):
            pass
        if place == root:
            break
    try:
        quota, period = ((root / "cpu" / f"cpu.cfs_{name}_us").read_text() for name in ("quota", "period"))
        if int(quota) > 0:
            yield int(quota) / int(period)
    except (OSError, ValueError, ZeroDivisionError):
        pass


def _own_group() -> str:
    """Return this process's cgroup v2 path, relative to the root."""
    try:
        lines = Path("/proc/self/cgroup").read_text().splitlines()
    except OSError:
        return ""
    return next((line.removeprefix("0::") for line in lines if line.startswith("0::")), "")
