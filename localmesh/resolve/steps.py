"""The steps of one resolving: each is made from named inputs, and made again only where one of them has changed.

What a step finds wrong is kept with what it has made. A step that reads documents is handed those of its kinds alone
(`Documents.only`), so that it cannot depend on others. Inputs are compared as values; what holds records, which know
their places in files, is equal only to itself: `Documents`, `Settings`, `Bound`, and the classes of this stage.
"""

from collections.abc import Callable, Hashable
from typing import TypeVar, TypeVarTuple

from localmesh.manifests.record import Resource
from localmesh.memo import Itself, Memo
from localmesh.resolve.findings import Findings

R = TypeVar("R", bound=Resource)
T = TypeVar("T")
Inputs = TypeVarTuple("Inputs")


class Steps:
    """One run through them. All that they find is in `findings`."""

    def __init__(self, memo: Memo, findings: Findings) -> None:
        """`memo`: of the runs before, of these steps alone."""
        memo.next_round()
        self._memo = memo
        self.findings = findings

    def made(self, name: Hashable, step: Callable[[*Inputs], T], *inputs: *Inputs) -> T:
        """The result of a step that finds nothing wrong."""
        return self._memo.made(name, step, *inputs)

    def judged(self, name: Hashable, step: Callable[[*Inputs, Findings], T], *inputs: *Inputs) -> T:
        """The result of a step that may find something wrong."""

        def run(*inputs: *Inputs) -> tuple[T, Findings]:
            found = Findings()
            return step(*inputs, found), found

        result, found = self._memo.made(name, run, *inputs)
        self.findings.add(found)
        return result

    def each(self, step: Callable[[R, *Inputs, Findings], T], written: R, *inputs: *Inputs) -> T:
        """The result of a step that reads one document."""

        def run(it: Itself[R], *rest: *tuple[*Inputs, Findings]) -> T:
            return step(it.value, *rest)

        return self.judged((step, type(written), written.namespace, written.name), run, Itself(written), *inputs)

    def within(self, name: Hashable) -> Memo:
        """The memo of the steps that a step consists of. It is asked for in each run, and so stays."""
        return self._memo.made(("within", name), Memo)
