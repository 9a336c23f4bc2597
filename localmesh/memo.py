"""What was made the last time, kept by name, and made again only where what it is made from has changed.

A stage stays a value from a value: it is handed a memo or none, and gives the same either way. Whoever runs the stages
again and again (`up`) owns the memo and hands it in; there is none behind anybody's back.
"""

from collections.abc import Callable, Hashable, Mapping
from typing import Generic, TypeVar, TypeVarTuple, cast

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)
Key = TypeVar("Key", bound=Hashable)
Inputs = TypeVarTuple("Inputs")


class Itself(Generic[T_co]):
    """An input that is equal to itself only, whatever its own equality says."""

    __slots__ = ("value",)

    def __init__(self, value: T_co) -> None:
        self.value = value

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Itself) and self.value is other.value

    def __hash__(self) -> int:
        return id(self.value)


class Memo:
    """Results by name. What a whole round does not ask for is forgotten."""

    def __init__(self) -> None:
        self._before: dict[Hashable, tuple[object, object]] = {}
        self._now: dict[Hashable, tuple[object, object]] = {}

    def made(self, name: Hashable, make: Callable[[*Inputs], T], *inputs: *Inputs) -> T:
        """`make(*inputs)`, or what it gave the last time if the inputs are equal. It must read nothing else.

        A name belongs to one function: what another has made of equal inputs would be taken for this one's.
        """
        kept = self._now.get(name) or self._before.get(name)
        result = make(*inputs) if kept is None or kept[0] != inputs else cast(T, kept[1])
        # With these inputs, not the equal ones of before: the next comparison finds the very same objects.
        self._now[name] = (inputs, result)
        return result

    def many(
        self, name: Hashable, make: Callable[[T | None, *Inputs], T], inputs: Mapping[Key, tuple[*Inputs]]
    ) -> Mapping[Key, T]:
        """As `made` for each key, with all of them under one name: a thousand that stay cost little.

        `make` is also handed what it gave for this key the last time.
        """
        kept = self._now.get(name) or self._before.get(name) or ({}, {})
        given, before = cast(tuple[Mapping[Key, tuple[*Inputs]], Mapping[Key, T]], kept)
        now = {
            key: before[key] if given.get(key) == each else make(before.get(key), *each) for key, each in inputs.items()
        }
        self._now[name] = (inputs, now)
        return now

    def same(self, name: Hashable, value: T) -> T:
        """`value`, or the equal one of the last time: whoever compares it again finds the very same object."""
        return self.made(name, lambda same: same, value)

    def next_round(self) -> None:
        """What was asked for since the last call of this is kept, all else is forgotten."""
        self._before, self._now = self._now, {}
