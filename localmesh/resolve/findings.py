"""What `resolve` finds wrong while it works: collected, so that one run shows all of it."""

from collections.abc import Iterable
from difflib import get_close_matches

from localmesh.codes import NOT_HERE, Code
from localmesh.errors import Problem, Where


class Findings:
    """Problems and warnings of one run. Problems make the mesh incomplete; warnings only say that it surprises."""

    def __init__(self) -> None:
        self._problems: dict[Problem, None] = {}
        self._warnings: dict[Problem, None] = {}

    def problem(self, where: Where, what: str, hint: str = "", code: Code | None = None) -> None:
        """Something that must be mended before the mesh means what was written."""
        self._problems[code.at(where, what, hint) if code else Problem(where, what, hint)] = None

    def warn(self, code: Code, where: Where, what: str, hint: str = "") -> None:
        """Something that is taken as written and hardly meant."""
        self._warnings[code.at(where, what, hint)] = None

    def unsupported(self, where: Where, field: str, why: str = "", api: str = "Istio") -> None:
        """A field of an API that has a meaning in the cluster and none here."""
        what = f"{field} is valid in {api} but not supported by localmesh yet: it runs in the cluster, not locally"
        self.problem(where, what, why, NOT_HERE)

    def add(self, more: "Findings") -> None:
        """All that another run has found."""
        self._problems |= more._problems
        self._warnings |= more._warnings

    @property
    def problems(self) -> tuple[Problem, ...]:
        """In the order of the files."""
        return tuple(sorted(self._problems))

    @property
    def warnings(self) -> tuple[Problem, ...]:
        """In the order of the files."""
        return tuple(sorted(self._warnings))


def nearest(name: str, known: Iterable[str]) -> str:
    """A hint that names what was probably meant, or ""."""
    close = get_close_matches(name, list(known), n=1, cutoff=0.6)
    return f"did you mean {close[0]!r}?" if close else ""


def nearest_host(host: str, known: Iterable[str]) -> str:
    """As `nearest`; what all names of a cluster have in common does not make them alike."""
    suffix = ".svc.cluster.local"
    full = {each.removesuffix(suffix): each for each in known}
    close = get_close_matches(host.removesuffix(suffix), list(full), n=1, cutoff=0.75)
    return f"did you mean {full[close[0]]!r}?" if close else ""
