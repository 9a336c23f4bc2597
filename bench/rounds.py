"""Contenders that are all up at once, in short bursts, shuffled anew in each round, compared inside a round.

On a shared machine the load moves twentyfold within minutes, so that "five runs of this, then five of that" compares
the weather. Two bursts of one round have the same weather; the ratio of each round is one value, and what is told is
the median of these with its quartiles.
"""

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from bench.figures import Quartiles, median, quartiles

ROUNDS = 11


@dataclass(frozen=True, slots=True)
class Sample:
    """One burst of one contender: how much was done, in which time, for how much CPU of the contender's processes.

    Latencies are in milliseconds, 0 where none were taken.
    """

    calls: int
    seconds: float
    cpu_seconds: float
    p50_ms: float = 0.0
    p99_ms: float = 0.0

    @property
    def per_second(self) -> float:
        """Calls per second."""
        return self.calls / self.seconds

    @property
    def cpu_us(self) -> float:
        """CPU microseconds of a call."""
        return self.cpu_seconds / self.calls * 1e6


Burst = Callable[[], Sample]
Of = Callable[[Sample], float]
Rounds = Mapping[str, Sequence[Sample]]


def per_second(sample: Sample) -> float:
    """To compare by calls per second."""
    return sample.per_second


def cpu_us(sample: Sample) -> float:
    """To compare by CPU."""
    return sample.cpu_us


def paired(contenders: Mapping[str, Burst], rounds: int = ROUNDS) -> Rounds:
    """A burst of each in every round. The first round warms up and does not count."""
    order = list(contenders)
    made: dict[str, list[Sample]] = {name: [] for name in order}
    shuffled = random.Random(1)  # the same orders each time: one thing less that differs
    for number in range(rounds + 1):
        shuffled.shuffle(order)
        for name in order:
            sample = contenders[name]()
            if number:
                made[name].append(sample)
    return made


def ratio(rounds: Rounds, one: str, other: str, of: Of) -> Quartiles:
    """One contender's figure divided by the other's, of each round."""
    return quartiles(of(a) / of(b) for a, b in zip(rounds[one], rounds[other], strict=True))


def middle(rounds: Rounds, name: str, of: Of) -> float:
    """One contender's median."""
    return median(of(sample) for sample in rounds[name])


HEADING = ("calls/s", "CPU µs", "p50 ms", "p99 ms")


def medians(rounds: Rounds, name: str) -> tuple[float, float, float, float]:
    """One contender's figures in the order of HEADING."""
    return (
        middle(rounds, name, per_second),
        middle(rounds, name, cpu_us),
        middle(rounds, name, lambda sample: sample.p50_ms),
        middle(rounds, name, lambda sample: sample.p99_ms),
    )
