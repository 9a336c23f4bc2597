"""PeerAuthentication: which connections a workload takes. Mesh, then namespace, then workload, then port."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from localmesh.manifests.documents import Documents
from localmesh.manifests.istio import PeerAuthentication
from localmesh.manifests.istio.security import MutualTLS
from localmesh.mesh.identity import Labels
from localmesh.mesh.security import Mtls
from localmesh.resolve.selection import Selected, oldest_first

MODES = {"DISABLE": Mtls.DISABLE, "PERMISSIVE": Mtls.PERMISSIVE, "STRICT": Mtls.STRICT}


@dataclass(frozen=True, slots=True)
class Modes:
    """What one pod takes: on the ports that a policy names, and on all others."""

    default: Mtls = Mtls.PERMISSIVE
    by_port: Mapping[int, Mtls] = field(default_factory=dict)

    def of(self, port: int) -> Mtls:
        """By the workload's port (not the service's)."""
        return self.by_port.get(port, self.default)


class PeerAuthentications:
    """All PeerAuthentications of a mesh, by where they apply. The oldest of several at one level counts alone."""

    def __init__(self, documents: Documents, root_namespace: str) -> None:
        self._namespaces: dict[str, PeerAuthentication] = {}
        self._workloads: Selected[PeerAuthentication] = Selected()
        for each in oldest_first(documents.of(PeerAuthentication)):
            if each.spec.selector is None or not each.spec.selector.match_labels:
                self._namespaces.setdefault(each.namespace, each)
            elif each.namespace != root_namespace:  # a selector in the root namespace reaches nobody
                self._workloads.add(each.namespace, each.spec.selector.match_labels, each)
        self._mesh = _mode(self._root_mtls(root_namespace), Mtls.PERMISSIVE)

    def namespace_mode(self, namespace: str) -> Mtls:
        """What a namespace's workloads take unless they say otherwise; clients infer auto mTLS from this."""
        policy = self._namespaces.get(namespace)
        return _mode(policy.spec.mtls if policy else None, self._mesh)

    def modes(self, namespace: str, labels: Labels) -> Modes:
        """What one pod takes."""
        inherited = self.namespace_mode(namespace)
        policy = next(iter(self._workloads.of(namespace, labels)), None)
        if policy is None:
            return Modes(inherited)
        default = _mode(policy.spec.mtls, inherited)
        ports = policy.spec.port_level_mtls or {}
        return Modes(default, {port: _mode(mtls, default) for port, mtls in ports.items()})

    def _root_mtls(self, root_namespace: str) -> MutualTLS | None:
        policy = self._namespaces.get(root_namespace)
        return policy.spec.mtls if policy else None


def _mode(mtls: MutualTLS | None, inherited: Mtls) -> Mtls:
    return MODES.get((mtls.mode if mtls else None) or "UNSET", inherited)
