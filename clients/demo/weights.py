"""The canary's weights in deploy/istio/user.yaml, read and changed as text: comments and all else stay as they are."""

import re
from dataclasses import dataclass

from clients.failure import Failure

# A destination's subset, and the weight below it.
_WEIGHT = re.compile(r"(subset:\s*(?P<subset>[\w-]+)\s*\}?\s*\n\s*weight:\s*)(?P<weight>\d+)")


@dataclass(frozen=True, slots=True)
class Weights:
    """How many parts of the traffic each subset gets."""

    parts: tuple[tuple[str, int], ...]

    @classmethod
    def of(cls, text: str) -> "Weights":
        """The first weights of each subset in the file. Raises Failure if there are no two."""
        found: dict[str, int] = {}
        for match in _WEIGHT.finditer(text):
            found.setdefault(match["subset"], int(match["weight"]))
        if len(found) < 2 or not sum(found.values()):
            raise Failure("the VirtualService of user has no two subsets with weights any more")
        return cls(tuple(found.items()))

    def shares(self) -> dict[str, float]:
        """As fractions of 1."""
        whole = sum(weight for _, weight in self.parts)
        return {subset: weight / whole for subset, weight in self.parts}

    def least(self) -> str:
        """The subset that gets least."""
        return min(self.parts, key=lambda part: part[1])[0]


def all_to(text: str, subset: str) -> str:
    """The file with all traffic sent to one subset."""
    return _WEIGHT.sub(lambda match: f"{match[1]}{100 if match['subset'] == subset else 0}", text)
