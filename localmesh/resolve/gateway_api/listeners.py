"""Gateways of the Gateway API -> Istio's Gateways, one with one server for each listener."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import cast

from localmesh.codes import NO_SUCH_HOST
from localmesh.manifests.documents import Documents
from localmesh.manifests.gateway_api import Gateway, GatewayClass
from localmesh.manifests.gateway_api.common import GROUP
from localmesh.manifests.gateway_api.gateway import AllowedRoutes, Listener, ListenerTLS
from localmesh.manifests.istio import Gateway as IstioGateway
from localmesh.manifests.istio.common import ServerPort, ServerTLSMode, ServerTLSSettings
from localmesh.manifests.istio.gateway import GatewaySpec, Server
from localmesh.manifests.kubernetes import Namespace
from localmesh.manifests.kubernetes.workload import LabelSelectorRequirement, PodSelector
from localmesh.resolve.environment import Stores
from localmesh.resolve.findings import Findings, nearest, nearest_host
from localmesh.resolve.gateway_api.grants import Grants, Reference
from localmesh.resolve.hosts import qualified, service_host
from localmesh.resolve.selection import oldest_first, selects

CONTROLLER = "istio.io/gateway-controller"
DEFAULT_CLASSES = {"istio": CONTROLLER}
NAMESPACE_NAME = "kubernetes.io/metadata.name"
NAME_OVERRIDE = "gateway.istio.io/name-override"
TERMINATE_MODE = "gateway.istio.io/tls-terminate-mode"
TERMINATE_MODES = frozenset({"SIMPLE", "MUTUAL", "OPTIONAL_MUTUAL", "ISTIO_MUTUAL"})
# The routes that a listener of each protocol takes.
PROTOCOLS: Mapping[str, tuple[str, ...]] = {"HTTP": ("HTTPRoute", "GRPCRoute"), "HTTPS": ("HTTPRoute", "GRPCRoute")}


@dataclass(frozen=True, slots=True)
class Opening:
    """A listener as routes find it, and the Gateway that it is in Istio's words."""

    owner: Gateway
    written: Listener
    istio: IstioGateway
    # The hosts of the Services whose pods open it, on the ports of these Services only.
    services: frozenset[str]
    kinds: tuple[str, ...]
    # False: its certificate cannot be had, so nothing opens it; routes attach to it all the same.
    valid: bool = True

    @property
    def name(self) -> str:
        """As VirtualServices name it."""
        return f"{self.istio.namespace}/{self.istio.name}"

    @property
    def hosts(self) -> tuple[str, ...]:
        """`namespace/hostname`."""
        return self.istio.spec.servers[0].hosts


def is_managed(gateway: Gateway) -> bool:
    """Whether Istio deploys it: no address, or one IP address, is asked for."""
    addresses = gateway.spec.addresses
    return not addresses or (len(addresses) == 1 and addresses[0].type == "IPAddress")


def deployment_name(gateway: Gateway) -> str:
    """What Istio calls the Deployment, Service and ServiceAccount of a Gateway."""
    default = f"{gateway.name}-{gateway.spec.gateway_class_name}"
    return gateway.metadata.annotations.get(NAME_OVERRIDE) or default


def served(documents: Documents) -> tuple[Gateway, ...]:
    """The Gateways whose class is run by Istio's gateways, the oldest first."""
    classes = _classes(documents)
    return tuple(
        each for each in oldest_first(documents.of(Gateway)) if classes.get(each.spec.gateway_class_name) == CONTROLLER
    )


def openings(documents: Documents, hosts: frozenset[str], grants: Grants, findings: Findings) -> tuple[Opening, ...]:
    """All listeners that Istio opens; other classes and protocols are refused by name. `hosts`: of all services."""
    classes = _classes(documents)
    for each in documents.of(Gateway):
        name = each.spec.gateway_class_name
        if classes.get(name) != CONTROLLER:
            known = (one for one, controller in classes.items() if controller == CONTROLLER)
            hint = nearest(name, known) or f"only {CONTROLLER} is run here"
            findings.unsupported(each.spec.at("gateway_class_name"), f"the class {name}", hint, "the Gateway API")
    builder = _Builder(documents, hosts, grants, findings)
    return tuple(opening for gateway in served(documents) for opening in builder.of(gateway))


def _classes(documents: Documents) -> dict[str, str]:
    return DEFAULT_CLASSES | {each.name: each.spec.controller_name for each in documents.of(GatewayClass)}


class _Builder:
    """Makes openings of one Gateway after another."""

    def __init__(self, documents: Documents, hosts: frozenset[str], grants: Grants, findings: Findings) -> None:
        self._hosts = hosts
        self._grants = grants
        self._findings = findings
        self._secrets = Stores(documents).secrets
        self._namespaces = {
            each.name: {**each.metadata.labels, NAMESPACE_NAME: each.name} for each in documents.of(Namespace)
        }

    def of(self, gateway: Gateway) -> Iterator[Opening]:
        services = frozenset(self._services(gateway))
        for listener in gateway.spec.listeners:
            kinds = PROTOCOLS.get(listener.protocol)
            if kinds is None:
                where = listener.at("protocol")
                self._findings.unsupported(where, f"protocol {listener.protocol}", api="the Gateway API")
                continue
            tls = self._tls(gateway, listener.tls)
            yield Opening(
                owner=gateway,
                written=listener,
                istio=self._istio(gateway, listener, tls),
                services=services,
                kinds=_allowed(kinds, listener.allowed_routes),
                valid=listener.tls is None or tls is not None,
            )

    def _services(self, gateway: Gateway) -> Iterator[str]:
        if is_managed(gateway):
            yield service_host(deployment_name(gateway), gateway.namespace)
            return
        for address in gateway.spec.addresses:
            if address.type != "Hostname":
                self._findings.unsupported(
                    address.at("type"), f"an address of type {address.type}", api="the Gateway API"
                )
            elif address.value:
                host = qualified(address.value, gateway.namespace)
                if host not in self._hosts:
                    what = f"there is no service {host}: nothing opens this Gateway"
                    self._findings.problem(address.at("value"), what, nearest_host(host, self._hosts), NO_SUCH_HOST)
                yield host

    def _istio(self, gateway: Gateway, listener: Listener, tls: ServerTLSSettings | None) -> IstioGateway:
        port = ServerPort(number=listener.port, protocol=listener.protocol, name="default", where=listener.where)
        spaces = self._spaces(gateway.namespace, listener.allowed_routes) or ("~",)
        hosts = tuple(f"{space}/{listener.hostname or '*'}" for space in spaces)
        server = Server(port=port, hosts=hosts, tls=tls, where=listener.where)
        name = f"{gateway.name}~istio-autogenerated-k8s-gateway~{listener.name}"
        return IstioGateway(
            metadata=replace(gateway.metadata, name=name),
            spec=GatewaySpec(servers=(server,), where=listener.where),
            where=listener.where,
        )

    def _spaces(self, own: str, allowed: AllowedRoutes) -> tuple[str, ...]:
        """The namespaces whose routes a listener takes; `*` is all."""
        namespaces = allowed.namespaces
        if namespaces.from_ == "All":
            return ("*",)
        if namespaces.from_ == "Same":
            return (own,)
        if namespaces.from_ == "None" or namespaces.selector is None:
            return ()
        selector = namespaces.selector
        return tuple(sorted(name for name, labels in self._namespaces.items() if _selected(selector, labels)))

    def _tls(self, gateway: Gateway, tls: ListenerTLS | None) -> ServerTLSSettings | None:
        """How TLS is ended; None where no certificate can be had."""
        if tls is None:
            return None
        mode = tls.options.get(TERMINATE_MODE, "SIMPLE")
        if mode not in TERMINATE_MODES:
            where = tls.at("options", TERMINATE_MODE)
            self._findings.unsupported(where, f"{TERMINATE_MODE}: {mode}", api="the Gateway API")
            return None
        if mode == "ISTIO_MUTUAL":
            return ServerTLSSettings(mode="ISTIO_MUTUAL", where=tls.where)
        names = tuple(self._certificates(gateway, tls))
        if not names:
            return None
        if len(names) > 1:
            self._findings.unsupported(tls.at("certificate_refs"), "a second certificate", api="the Gateway API")
        return ServerTLSSettings(mode=cast("ServerTLSMode", mode), credential_name=names[0], where=tls.where)

    def _certificates(self, gateway: Gateway, tls: ListenerTLS) -> Iterator[str]:
        for each in tls.certificate_refs:
            namespace = each.namespace or gateway.namespace
            reference = Reference("Gateway", gateway.namespace, "Secret", namespace, each.name)
            if (each.group, each.kind) != ("", "Secret"):
                self._findings.problem(each.where, f"a certificate is a Secret, not a {each.kind}")
            elif (namespace, each.name) not in self._secrets:
                known = (name for space, name in self._secrets if space == namespace)
                what = f"there is no Secret {namespace}/{each.name}"
                self._findings.problem(each.at("name"), what, nearest(each.name, known))
            elif not self._grants.allow(reference):
                what = f"Secret {namespace}/{each.name} may not be used from namespace {gateway.namespace}"
                self._findings.problem(each.where, what, reference.hint)
            else:
                yield f"kubernetes-gateway://{namespace}/{each.name}"


def _allowed(kinds: Iterable[str], allowed: AllowedRoutes) -> tuple[str, ...]:
    named = {each.kind for each in allowed.kinds if each.group == GROUP}
    return tuple(each for each in kinds if not allowed.kinds or each in named)


def _selected(selector: PodSelector, labels: Mapping[str, str]) -> bool:
    return selects(selector.match_labels, labels) and all(_holds(each, labels) for each in selector.match_expressions)


def _holds(one: LabelSelectorRequirement, labels: Mapping[str, str]) -> bool:
    value = labels.get(one.key)
    match one.operator:
        case "In":
            return value in one.values
        case "NotIn":
            return value not in one.values
        case "Exists":
            return value is not None
    return value is None
