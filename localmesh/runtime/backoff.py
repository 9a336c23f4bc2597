"""How long a program that ended rests before it is started again."""

FIRST = 0.2
MOST = 10.0
WELL_AFTER = 60.0


def rest(failures: int) -> float:
    """Seconds before the next start, after so many failures in a row: 0.2, 0.4, 0.8 … 10."""
    return min(FIRST * 2.0 ** min(failures - 1, 16), MOST) if failures > 0 else 0.0


def failures(before: int, ran: float) -> int:
    """Failures in a row after a run of `ran` seconds: a run of a minute was well, and makes this the first."""
    return 1 if ran >= WELL_AFTER else before + 1
