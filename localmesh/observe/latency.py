"""How long calls took, as Envoy's histograms count it."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Latency:
    """`counts[i]` calls took at most `bounds_ms[i]` milliseconds, and more than the bound before.

    Without calls there are no bounds.
    """

    bounds_ms: tuple[float, ...] = ()  # rising
    counts: tuple[int, ...] = ()

    def quantile(self, share: float) -> float | None:
        """So many milliseconds at most took this share (0 to 1) of the calls; None without calls.

        Inside a bucket the calls are taken to be spread evenly, as Prometheus does.
        """
        rank, seen, lower = share * sum(self.counts), 0, 0.0
        for bound, count in zip(self.bounds_ms, self.counts, strict=True):
            if count and seen + count >= rank:
                return lower + (bound - lower) * (rank - seen) / count
            seen, lower = seen + count, bound
        return None

    def __add__(self, other: "Latency") -> "Latency":
        """The calls of both, counted by the same bounds."""
        if not self.bounds_ms or not other.bounds_ms:
            return self if self.bounds_ms else other
        return Latency(self.bounds_ms, tuple(map(sum, zip(self.counts, other.counts, strict=True))))

    def since(self, before: "Latency") -> "Latency":
        """The calls that `before` has not; all of them where they have begun to be counted again."""
        if self.bounds_ms != before.bounds_ms or sum(self.counts) < sum(before.counts):
            return self
        pairs = zip(self.counts, before.counts, strict=True)
        return Latency(self.bounds_ms, tuple(max(0, now - was) for now, was in pairs))
