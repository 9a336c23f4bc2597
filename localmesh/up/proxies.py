"""What the proxies are told: a snapshot for each, with its secrets, and whether they have acknowledged."""

from collections.abc import Callable, Collection, Mapping
from pathlib import Path

from localmesh.ads import DiscoveryServer, Publication
from localmesh.memo import Memo
from localmesh.mesh import Mesh, Placement, Pod
from localmesh.runtime.certs import Leaf
from localmesh.runtime.podplan import PodPlan
from localmesh.runtime.wallet import Wallet
from localmesh.up import stages
from localmesh.up.stages import Design
from localmesh.xds.bootstrap import bootstrap_json
from localmesh.xds.readable import to_json
from localmesh.xds.secrets import named_secrets, secrets
from localmesh.xds.snapshot import CLUSTER, ENDPOINT, Snapshot

# Where each pod stands and whether it is ready, now.
Placements = Callable[[], Mapping[str, Placement]]


# Debian, Fedora, SUSE, Alpine and macOS: the list of Go's crypto/x509, which istiod's agent goes by.
SYSTEM_ROOTS = (
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
    "/etc/ssl/cert.pem",
)


class Proxies:
    """The Envoys of a mesh, each known by its pod (`namespace/name`)."""

    def __init__(self, ads: DiscoveryServer, socket: Path, wallet: Wallet, memo: Memo) -> None:
        self.wallet = wallet
        self._ads, self._socket, self._memo = ads, socket, memo
        self.snapshots: Mapping[str, Snapshot] = {}  # as last published
        self._design: Design | None = None  # that they say and nothing else

    def bootstrap(self, plan: PodPlan) -> str:
        """The text that a pod's Envoy starts with."""
        service = f"{plan.workload.partition('/')[2]}.{plan.namespace}"
        return bootstrap_json(_node(plan.key), service, str(plan.admin), str(self._socket))

    def publish(self, design: Design, now: Placements) -> Publication:
        """Tell every proxy its snapshot; it is sent only what differs. Pods that the design has not are forgotten."""
        return self._publish(self._configured(design, now), design)

    async def change(
        self, design: Design, now: Placements, *, within: float, answering: bool = False
    ) -> tuple[str, ...]:
        """Tell every proxy of a new design, make before break, and wait until all that are connected have acknowledged.

        Clusters that end are kept until no route leads to them any more. Returns the pods whose proxies were told
        something new. `answering` is, and it raises, as Publication.acked.
        """
        snapshots = self._configured(design, now)
        changed = self._differing(snapshots)
        kept = {key: _with_clusters_of(self.snapshots.get(key), snapshot) for key, snapshot in snapshots.items()}
        if any(kept[key].version != snapshot.version for key, snapshot in snapshots.items()):
            await self._publish(kept, None).acked(within=within, answering=answering)
            # Pods may have come and gone meanwhile.
            snapshots = self._configured(design, now)
        await self._publish(snapshots, design).acked(within=within, answering=answering)
        return changed

    async def refresh(self, design: Design, now: Placements, *, within: float) -> None:
        """Tell every proxy who is ready now, and wait for those that answer. Raises as Publication.acked."""
        if design is self._design:
            publication = self._publish(stages.refreshed(self.snapshots, design, now(), self._memo), design)
        else:
            publication = self.publish(design, now)
        await publication.acked(within=within, answering=True)

    def _publish(self, snapshots: Mapping[str, Snapshot], design: Design | None) -> Publication:
        self._ads.forget({_node(key) for key in self.snapshots.keys() - snapshots.keys()})
        publication = self._ads.publish({_node(key): snapshot for key, snapshot in snapshots.items()})
        self.snapshots, self._design = snapshots, design
        return publication

    def _configured(self, design: Design, now: Placements) -> Mapping[str, Snapshot]:
        """The snapshot of each pod of a design, with secrets."""
        leaves = self.wallet.leaves(plan.identity for plan in design.plans if plan.envoy)
        identities = {plan.key: plan.identity for plan in design.plans}
        bundle, roots = self.wallet.authority.bundle, _system_roots()
        inputs = {
            key: (snapshot, leaves[identities[key]], bundle, _named(design.mesh.pod(key), design.mesh, roots))
            for key, snapshot in stages.configured(design, now(), self._memo).items()
        }
        return self._memo.many("with secrets", _with_secrets, inputs)

    def _differing(self, snapshots: Mapping[str, Snapshot]) -> tuple[str, ...]:
        return tuple(
            key
            for key, snapshot in snapshots.items()
            if (before := self.snapshots.get(key)) is not snapshot
            and (before is None or before.version != snapshot.version)
        )

    def readable(self, key: str) -> dict[str, list[dict[str, object]]]:
        """What a pod's proxy was last told, without secrets; empty for a pod without a proxy."""
        return to_json(self.snapshots.get(key, Snapshot.of({})))

    @property
    def settled(self) -> Collection[str]:
        """The pods whose proxies have acknowledged all that they were told."""
        settled = self._ads.settled
        return frozenset(key for key in self.snapshots if _node(key) in settled)


def _named(pod: Pod | None, mesh: Mesh, system_roots: str) -> Snapshot | None:
    """The secrets that gateway servers and DestinationRules name; None: there are none."""
    if pod is None or not (pod.servers or pod.outbound.ordinary_tls):
        return None
    return named_secrets(pod, mesh.credentials, system_roots)


def _with_secrets(
    _before: Snapshot | None, snapshot: Snapshot, leaf: Leaf, bundle: bytes, named: Snapshot | None
) -> Snapshot:
    own = snapshot.merged(secrets(leaf.certificate, leaf.private_key, bundle))
    return own if named is None else own.merged(named)


def _system_roots() -> str:
    """The file with the authorities that this machine believes. Where there is none, Envoy says so when it is asked."""
    return next((each for each in SYSTEM_ROOTS if Path(each).exists()), SYSTEM_ROOTS[0])


def _node(key: str) -> str:
    """`<pod>.<namespace>`, of the pod `namespace/name`."""
    namespace, _, name = key.partition("/")
    return f"{name}.{namespace}"


def _with_clusters_of(before: Snapshot | None, after: Snapshot) -> Snapshot:
    """All that is said after a change, and the clusters that were there before it."""
    if before is None or all(before.type(url).keys() <= after.type(url).keys() for url in (CLUSTER, ENDPOINT)):
        return after
    return Snapshot.of({url: before.type(url).values() for url in (CLUSTER, ENDPOINT)}).merged(after)
