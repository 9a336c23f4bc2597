"""How many pods this machine has room for, asked before anything is made of them."""

from collections.abc import Mapping

from localmesh.errors import MeshError, Problem, Problems
from localmesh.manifests import Documents
from localmesh.manifests.kubernetes import Deployment, StatefulSet
from localmesh.resolve.pods import is_cluster
from localmesh.runtime.addresses import PODS

_FEWER = "ask for fewer pods"


def require_room(documents: Documents, asked: Mapping[str, int]) -> None:
    """Raises if the workloads have more pods than there are addresses: Problems at the `replicas` that ask for most.

    `asked` by `namespace/name` overrules what is written, and has no place in a file: then it is a MeshError.
    """
    if is_cluster(documents):  # whose pods are read, and none is made
        return
    workloads: tuple[Deployment | StatefulSet, ...] = (*documents.of(Deployment), *documents.of(StatefulSet))
    written = {f"{each.namespace}/{each.name}": each.spec for each in workloads}
    numbers = {key: asked.get(key, 1 if spec.replicas is None else spec.replicas) for key, spec in written.items()}
    total = sum(numbers.values())
    if total <= PODS:
        return
    most = max(numbers, key=numbers.__getitem__)
    what = f"this machine has addresses for {PODS} pods, and these would be {total}: {most} asks for {numbers[most]}"
    if most in asked:
        raise MeshError(what, _FEWER)
    raise Problems([Problem(written[most].at("replicas"), what, _FEWER)])
