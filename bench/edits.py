"""Changes of files that benches make. What is not there as expected is an error, not a bench of something else."""

from pathlib import Path


def edit(file: Path, old: str, new: str, *, times: int = 1) -> None:
    """Save the file with `old`, which it holds so many times, as `new`. Raises ValueError if it does not."""
    text = file.read_text(encoding="utf-8")
    if text.count(old) != times:
        raise ValueError(f"{file} holds {old!r} {text.count(old)} times, not {times}")
    file.write_text(text.replace(old, new), encoding="utf-8")
