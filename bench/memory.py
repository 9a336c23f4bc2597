"""Memory of other processes, in MiB."""

from pathlib import Path


def resident(pid: int) -> float:
    """What is in memory now (VmRSS)."""
    return _of_status(pid, "VmRSS")


def peak(pid: int) -> float:
    """The most that was in memory since the start, or since `forget_peak` (VmHWM)."""
    return _of_status(pid, "VmHWM")


def forget_peak(pid: int) -> None:
    """The peak counts from here (proc(5), clear_refs)."""
    Path(f"/proc/{pid}/clear_refs").write_text("5")


def proportional(pid: int) -> float:
    """What is in memory now, with a page that n processes share counted as 1/n (PSS)."""
    return _kilobytes(Path(f"/proc/{pid}/smaps_rollup").read_text(), "Pss") / 1024


def _of_status(pid: int, name: str) -> float:
    return _kilobytes(Path(f"/proc/{pid}/status").read_text(), name) / 1024


def _kilobytes(text: str, name: str) -> int:
    return next(int(line.split()[1]) for line in text.splitlines() if line.startswith(f"{name}:"))
