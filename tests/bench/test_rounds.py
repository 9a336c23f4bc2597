"""bench.rounds: who takes turns with whom, and what is compared."""

from bench.rounds import Burst, Sample, cpu_us, middle, paired, per_second, ratio


def bursts(order: list[str], **seconds: list[float]) -> dict[str, Burst]:
    """Contenders whose bursts of 100 calls take these seconds, one after the other."""

    def burst(name: str) -> Burst:
        left = iter(seconds[name])

        def made() -> Sample:
            order.append(name)
            return Sample(100, next(left), 0.001)

        return made

    return {name: burst(name) for name in seconds}


def test_the_first_round_does_not_count() -> None:
    rounds = paired(bursts([], a=[100.0, 1, 1, 1], b=[100.0, 2, 2, 2]), rounds=3)
    assert middle(rounds, "a", per_second) == 100
    assert middle(rounds, "b", cpu_us) == 10


def test_a_ratio_is_of_bursts_of_the_same_round() -> None:
    rounds = paired(bursts([], a=[1, 1, 10, 100], b=[1, 2, 20, 200]), rounds=3)
    found = ratio(rounds, "a", "b", per_second)
    assert (found.low, found.middle, found.high) == (2, 2, 2)


def test_every_round_has_every_contender_in_an_order_of_its_own() -> None:
    order: list[str] = []
    paired(bursts(order, a=[1] * 12, b=[1] * 12, c=[1] * 12), rounds=11)
    turns = [tuple(order[start : start + 3]) for start in range(0, 36, 3)]
    assert all(sorted(turn) == ["a", "b", "c"] for turn in turns)
    assert len(set(turns)) > 3
