"""What can be wrong, said so that a person can mend it: where, what, and what to try.

Stages collect `Problem`s and raise them together as `Problems`, so that one run shows everything that is wrong.
Only the command line prints them and chooses the exit code.
"""

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, order=True)
class Where:
    """A place in a YAML file. `line` and `column` count from 1; `path` is the field, such as `spec.http[0].route`."""

    file: str
    line: int = 0
    column: int = 0
    path: str = ""

    def __str__(self) -> str:
        """`file:line: path`, with what is known."""
        place = f"{self.file}:{self.line}" if self.line else self.file
        return f"{place}: {self.path}" if self.path else place


@dataclass(frozen=True, slots=True, order=True)
class Problem:
    """One thing that is wrong in the input: `what`, and in `hint` what was meant or what to try.

    `code` names the finding for good, where it has a name: see `localmesh.codes`.
    """

    where: Where
    what: str
    hint: str = ""
    code: str = ""

    def __str__(self) -> str:
        """One line: `file:line: path: what (hint) [code]`."""
        hint = f" ({self.hint})" if self.hint else ""
        code = f" [{self.code}]" if self.code else ""
        return f"{self.where}: {self.what}{hint}{code}"


class MeshError(Exception):
    """Something a person can mend that has no place in a file: a port taken, a missing program, a stopped mesh."""

    def __init__(self, what: str, hint: str = "") -> None:
        super().__init__(f"{what}\n  try: {hint}" if hint else what)
        self.what = what
        self.hint = hint


class Problems(MeshError):
    """All problems of one run, in the order of the files."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = tuple(sorted(set(problems)))
        super().__init__("\n".join(map(str, self.problems)))
