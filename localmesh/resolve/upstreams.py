"""Service ports and DestinationRules -> upstreams: how one client speaks to each port and subset of a service."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

from localmesh.manifests.istio.destination_rule import Subset, TrafficPolicy
from localmesh.mesh.identity import Labels, Seconds
from localmesh.mesh.security import Mtls
from localmesh.mesh.services import Resolution, Service, ServicePort
from localmesh.mesh.upstreams import ClientTls, ConsistentHash, HashOn, Simple, TlsMode, Upstream
from localmesh.resolve import traffic_policies as policies
from localmesh.resolve.destination_rules import DestinationRules, HostRule
from localmesh.resolve.peer_authentication import PeerAuthentications
from localmesh.resolve.selection import selects
from localmesh.resolve.settings import Settings


@dataclass(frozen=True, slots=True)
class Shaping:
    """All that shapes an upstream besides its service."""

    rules: DestinationRules
    authentications: PeerAuthentications
    settings: Settings

    def all_upstreams(
        self, services: Mapping[str, Service], namespace: str, labels: Labels, at_gateway: bool = False
    ) -> tuple[Upstream, ...]:
        """Those of all services that a client knows, by host and port."""
        found = (
            each for one in services.values() for each in self.upstreams(one, namespace, labels, at_gateway=at_gateway)
        )
        return tuple(sorted(found, key=lambda each: (each.service.host, each.port.number)))

    def upstreams(
        self, service: Service, namespace: str, labels: Labels, *, at_gateway: bool = False
    ) -> Iterator[Upstream]:
        """For each port the service as a whole, then its subsets in the order of the rule."""
        rule = self.rules.of(service.host, service.namespace, namespace, labels)
        for port in service.ports:
            policy = policies.at_port(rule.policy if rule else None, port.number)
            yield _without_credential(self._upstream(service, port, policy, rule), rule, at_gateway)
            for subset in rule.subsets if rule else ():
                merged = policies.subset_at_port(policy, subset.traffic_policy, port.number)
                yield _without_credential(self._upstream(service, port, merged, rule, subset), rule, at_gateway)

    def idle_timeout(self, service: Service, port: int, namespace: str, labels: Labels) -> Seconds | None:
        """How long a connection may be idle, where it is routed as a connection."""
        rule = self.rules.of(service.host, service.namespace, namespace, labels)
        written = policies.at_port(rule.policy, port).connection_pool if rule else None
        return written.tcp.idle_timeout if written and written.tcp else None

    def hash_of(self, service: Service, port: int, subset: str, namespace: str, labels: Labels) -> HashOn | None:
        """What requests to this target are hashed by, where a consistent hash balances them."""
        rule = self.rules.of(service.host, service.namespace, namespace, labels)
        if rule is None:
            return None
        policy = policies.at_port(rule.policy, port)
        for each in rule.subsets:
            if each.name == subset:
                policy = policies.subset_at_port(policy, each.traffic_policy, port)
                break
        balancer = policies.balancer(policy.load_balancer)
        return balancer.on if isinstance(balancer, ConsistentHash) else None

    def _upstream(
        self,
        service: Service,
        port: ServicePort,
        policy: TrafficPolicy,
        rule: HostRule | None,
        subset: Subset | None = None,
    ) -> Upstream:
        labels = subset.labels if subset else {}
        endpoints = service.endpoints.get(port.number, ())
        if labels:
            endpoints = tuple(each for each in endpoints if selects(labels, each.labels))
        balancer = policies.balancer(policy.load_balancer)
        return Upstream(
            service=service,
            port=port,
            subset=subset.name if subset else "",
            labels=labels,
            endpoints=endpoints,
            balancer=balancer,
            warm_up=policies.warm_up(policy.load_balancer),
            locality=policies.locality(policy, self.settings),
            pool=policies.pool(policy.connection_pool, self.settings),
            outliers=policies.outliers(policy.outlier_detection),
            tls=policies.client_tls(policy.tls),
            auto_mtls=self._auto_mtls(service, port, balancer),
            retry_budget=policies.retry_budget(policy),
            proxy_protocol=policies.proxy_protocol(policy),
            where=rule.where if rule else None,
        )

    def _auto_mtls(self, service: Service, port: ServicePort, balancer: Simple | ConsistentHash) -> bool:
        """As istiod infers it: by mesh and namespace only; where the client picks no endpoint, all must take it."""
        if service.external or not self.settings.auto_mtls:
            return False
        if service.resolution is Resolution.PASSTHROUGH or balancer is Simple.PASSTHROUGH:
            endpoints = service.endpoints.get(port.number, ())
            if not endpoints or not all(each.mtls for each in endpoints):
                return False
        return self.authentications.namespace_mode(service.namespace) is not Mtls.DISABLE


def _without_credential(upstream: Upstream, rule: HostRule | None, at_gateway: bool) -> Upstream:
    """A sidecar takes a credentialName only from a rule that chooses its workloads; else istiod has it call in plain.

    All the sidecars of a namespace would wait for a Secret that is not theirs (istiod's own reason).
    """
    named = upstream.tls is not None and upstream.tls.is_ordinary and upstream.tls.credential_name
    if at_gateway or rule is None or rule.selector is not None or not named:
        return upstream
    return replace(upstream, tls=ClientTls(TlsMode.DISABLE))
