"""The policy documents in force: where each stands, what it reaches, since when it holds, and what was last refused."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from localmesh.errors import Problem, Where
from localmesh.manifests import gateway_api, istio
from localmesh.manifests.documents import Documents
from localmesh.manifests.kinds import split_api_version
from localmesh.manifests.record import Resource
from localmesh.mesh import Mesh, Pod
from localmesh.mesh.pods import Proxy
from localmesh.observe.rules import PolicyRule, rules
from localmesh.observe.written import document_at
from localmesh.resolve.attaching import attached_labels, targets
from localmesh.resolve.authorization import DRY_RUN
from localmesh.resolve.selection import selects

# The API groups that say how the mesh behaves; all others say what runs in it.
GROUPS = frozenset({"networking.istio.io", "security.istio.io", "telemetry.istio.io", "gateway.networking.k8s.io"})

Key = tuple[str, str, str]
"""Kind with its API group, namespace and name: what a cluster takes for one object."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """A reading of the files that did not come into force: when (Unix time), and what was wrong in one document."""

    at: float
    problems: tuple[Problem, ...]


@dataclass(frozen=True, slots=True)
class Policy:
    """One document. `pods` (`namespace/name`) are those whose proxies it configures by namespace and selector.

    What reaches callers by the name that they call (VirtualService, DestinationRule, routes) has `hosts` instead.
    """

    kind: str
    namespace: str
    name: str
    where: Where
    pods: tuple[str, ...] = ()
    hosts: tuple[str, ...] = ()
    action: str = ""  # of an AuthorizationPolicy: ALLOW, DENY, AUDIT, CUSTOM
    dry_run: bool = False  # of an AuthorizationPolicy that only tells what it would have done
    rules: tuple[PolicyRule, ...] = ()  # of AuthorizationPolicy, RequestAuthentication and PeerAuthentication
    applied_at: float = 0.0  # when the text that it has now came into force (Unix time)
    refused: Refusal | None = None  # the last reading that was refused for a problem in this document

    def is_for(self, host: str) -> bool:
        """Whether one of its hosts is this full name. A short one means a service of the document's namespace."""
        return any(
            host == (each if "." in each else f"{each}.{self.namespace}.svc.cluster.local") for each in self.hosts
        )


@dataclass(frozen=True, slots=True)
class History:
    """Since when each document says what it says, and the last refusal in each."""

    since: Mapping[Key, tuple[Resource, float]] = field(default_factory=dict)
    # By file, kind and name; of a problem that is in no document that can be made out, by the file alone.
    refusals: Mapping[tuple[str, str, str], Refusal] = field(default_factory=dict)

    def in_force(self, documents: Documents, at: float) -> "History":
        """These documents have come into force. One that says what it said before holds since then."""
        since: dict[Key, tuple[Resource, float]] = {}
        for each in documents.resources:
            before = self.since.get(_key(each))
            since[_key(each)] = before if before is not None and before[0] == each else (each, at)
        return History(since, self.refusals)

    def refused(self, problems: Iterable[Problem], at: float, texts: Mapping[str, str]) -> "History":
        """A reading was refused for these problems. `texts`: what the files say now, for whose document each was."""
        found: dict[tuple[str, str, str], list[Problem]] = {}
        for each in problems:
            kind, name = document_at(texts.get(each.where.file, ""), each.where.line) or ("", "")
            found.setdefault((each.where.file, kind, name), []).append(each)
        return History(self.since, {**self.refusals, **{key: Refusal(at, tuple(some)) for key, some in found.items()}})

    def last_refusal(self, document: Resource) -> Refusal | None:
        """Of this document, or of its file where nothing more could be made out."""
        file = document.where.file
        found = (self.refusals.get((file, *key)) for key in ((document.kind, document.name), ("", "")))
        return max((each for each in found if each is not None), key=lambda each: each.at, default=None)


def policies(documents: Documents, mesh: Mesh, history: History) -> tuple[Policy, ...]:
    """The policy documents among these, in the order of the files."""
    return tuple(
        _policy(each, mesh, history) for each in documents.resources if split_api_version(each.api_version)[0] in GROUPS
    )


def _policy(document: Resource, mesh: Mesh, history: History) -> Policy:
    _, since = history.since.get(_key(document), (document, 0.0))
    return Policy(
        kind=document.kind,
        namespace=document.namespace,
        name=document.name,
        where=document.where,
        pods=tuple(pod.key for pod in mesh.pods if pod.proxy is not Proxy.NONE and _reaches(document, pod, mesh)),
        dry_run=document.metadata.annotations.get(DRY_RUN) == "true",
        hosts=tuple(dict.fromkeys(_hosts(document))),
        action=(document.spec.action or "ALLOW") if isinstance(document, istio.AuthorizationPolicy) else "",
        rules=tuple(rules(document)),
        applied_at=since,
        refused=history.last_refusal(document),
    )


def _key(document: Resource) -> Key:
    group, _ = split_api_version(document.api_version)
    return f"{document.kind}.{group}", document.namespace, document.name


def _reaches(document: Resource, pod: Pod, mesh: Mesh) -> bool:
    """Whether the document selects this pod, as Istio does: by labels in its own namespace or, from the root namespace,
    in all. One that names a Gateway never reaches further than its namespace; a Gateway itself reaches all gateways.
    """
    everywhere = document.namespace == mesh.root_namespace
    match document:
        case istio.Gateway():
            return pod.proxy is Proxy.GATEWAY and selects(document.spec.selector, pod.labels)
        case istio.AuthorizationPolicy() | istio.RequestAuthentication() | istio.Telemetry():
            everywhere = everywhere and not targets(document.spec)
            selectors = list(attached_labels(document.spec))
        case istio.PeerAuthentication() | istio.ProxyConfig():
            selectors = [document.spec.selector.match_labels if document.spec.selector else {}]
        case istio.Sidecar() | istio.EnvoyFilter():
            selectors = [document.spec.workload_selector.labels if document.spec.workload_selector else {}]
        case _:
            return False
    near = everywhere or document.namespace == pod.namespace
    return near and any(selects(labels, pod.labels) for labels in selectors)


def _hosts(document: Resource) -> Iterator[str]:
    """The names that callers call, for the kinds that shape calls by name."""
    match document:
        case istio.VirtualService() | istio.ServiceEntry():
            yield from document.spec.hosts
        case istio.DestinationRule():
            yield document.spec.host
        case istio.Gateway():
            yield from (host for server in document.spec.servers for host in server.hosts)
        case gateway_api.HTTPRoute() | gateway_api.GRPCRoute():
            yield from document.spec.hostnames
