"""What is kept of a snapshot's parts, for the next snapshot of its pod and for those of its replicas."""

from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from typing import TypeVar, TypeVarTuple

from localmesh.memo import Memo
from localmesh.mesh.pods import Pod

T = TypeVar("T")
Inputs = TypeVarTuple("Inputs")


@dataclass(frozen=True, slots=True)
class Parts:
    """What the parts of a snapshot were the last time; one whose input is the same is not made again.

    `own`: of this pod. `shared`: of all pods that are captured at this time, as the replicas of a workload are alike.
    """

    own: Memo = field(default_factory=Memo)
    shared: Memo = field(default_factory=Memo)

    def alike(self, pod: Pod, name: Hashable, make: Callable[[*Inputs], T], *inputs: *Inputs) -> T:
        """A part that is made of nothing in which replicas differ."""
        # Namespace and workload spare work only: under one name for all, each workload would push out the last one's.
        everybodys = (pod.namespace, pod.workload, name)
        return self.own.made(name, lambda *given: self.shared.made(everybodys, make, *given), *inputs)
