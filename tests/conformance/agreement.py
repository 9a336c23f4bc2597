"""Which cases agree with istiod, which differ for a reason that we give, and which fail."""

from collections.abc import Iterable
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path

import yaml

from localmesh.errors import Problems
from tests.conformance.cases import differences, ours
from tests.conformance.reference import Case

LISTED = Path(__file__).parent / "differences.yaml"


@dataclass(frozen=True, slots=True)
class Reason:
    """An entry of differences.yaml."""

    case: str
    kind: str
    reason: str
    path: str = "*"

    def excuses(self, case: str, line: str) -> bool:
        """Whether this difference is meant. A line is `path: istiod …, we …`."""
        return fnmatchcase(case, self.case) and fnmatchcase(line.partition(": ")[0], self.path)


@dataclass(frozen=True, slots=True)
class Verdict:
    """What is to be said of one case."""

    case: str
    unexcused: tuple[str, ...]
    reasons: tuple[Reason, ...]

    @property
    def word(self) -> str:
        """`agrees`, `on purpose`, `not yet` or `FAILS`."""
        if self.unexcused:
            return "FAILS"
        kinds = {reason.kind for reason in self.reasons}
        return "not yet" if "not yet" in kinds else "on purpose" if kinds else "agrees"


def reasons() -> list[Reason]:
    """All entries of differences.yaml."""
    return [Reason(**one) for one in yaml.safe_load(LISTED.read_text()) or []]


def judged(case: Case, listed: Iterable[Reason]) -> Verdict:
    """The case compiled and held against istiod's output."""
    listed = list(listed)
    unexcused, used = [], []
    for line in _differences(case):
        found = [reason for reason in listed if reason.excuses(case.name, line)]
        used += found
        if not found:
            unexcused.append(line)
    return Verdict(case.name, tuple(unexcused), tuple(dict.fromkeys(used)))


def _differences(case: Case) -> list[str]:
    try:
        return list(differences(case.istiod, ours(case.text, case.pods)))
    except Problems as refused:
        return [f"/refused: istiod takes it, we do not: {refused.problems[0]}"]
