"""What the benchmark runs on, and what a process took of it."""

from __future__ import annotations

import os
import platform
from collections.abc import Callable
from pathlib import Path
from typing import Any


def machine() -> dict[str, Any]:
    """The machine, and what else it had to do."""
    file = Path("/proc/cpuinfo")
    lines = file.read_text().splitlines() if file.is_file() else []
    model = next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "")
    return {
        "cores": os.cpu_count(),
        "cpu": model or platform.processor(),
        "python": platform.python_version(),
        "system": platform.system(),
        "load_1_min": round(os.getloadavg()[0], 1),
    }


def warn_if_busy(ran_on: dict[str, Any], say: Callable[[str], None]) -> None:
    """Tell whoever looks on where other work takes part of the machine."""
    if ran_on["load_1_min"] > 1:
        say(f"The machine is busy with other work (a load of {ran_on['load_1_min']:g}): speeds are lower bounds")


def peak_memory(pid: int) -> int:
    """The most memory that a process ever had resident, in bytes; 0 where the system does not say."""
    return _status(pid, "VmHWM")


def resident_memory(pid: int) -> int:
    """What it has resident now, in bytes; 0 where the system does not say."""
    return _status(pid, "VmRSS")


def cpu_seconds(pid: int) -> float:
    """The processor's time that a process has used; 0 where the system does not say."""
    stat = Path(f"/proc/{pid}/stat")
    if not stat.is_file():
        return 0
    user, system = stat.read_text().rpartition(")")[2].split()[11:13]
    return (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")


def _status(pid: int, name: str) -> int:
    status = Path(f"/proc/{pid}/status")
    lines = status.read_text().splitlines() if status.is_file() else []
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith(f"{name}:")), 0)
