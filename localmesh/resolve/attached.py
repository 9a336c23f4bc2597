"""Every policy attached to the pods, where Istio would attach it."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import partial

from localmesh.manifests.documents import Documents
from localmesh.manifests.istio import AuthorizationPolicy, EnvoyFilter, ProxyConfig, RequestAuthentication, Telemetry
from localmesh.mesh.pods import Outbound, Pod, Proxy
from localmesh.mesh.security import AccessPolicy
from localmesh.resolve.authorization import Access, Tokens
from localmesh.resolve.envoy_filters import EnvoyFilters
from localmesh.resolve.findings import Findings
from localmesh.resolve.gateways import Gateways, GatewaySide, gateway_side
from localmesh.resolve.inbound import Served, inbound
from localmesh.resolve.outbound import Outbounds, World
from localmesh.resolve.pods import Seat
from localmesh.resolve.proxy_configs import ProxyConfigs
from localmesh.resolve.sidecars import Sidecars, check_spans
from localmesh.resolve.steps import Steps
from localmesh.resolve.telemetry import Telemetries
from localmesh.resolve.upstreams import Shaping


@dataclass(frozen=True, slots=True)
class OfProxies:
    """What shapes a pod's proxy, besides who may call it and whom it calls."""

    tokens: Tokens
    telemetries: Telemetries
    patches: EnvoyFilters
    configs: ProxyConfigs
    shaping: Shaping
    sidecars: Sidecars


@dataclass(frozen=True, slots=True)
class PodPolicies:
    """All that is attached to pods one by one. `serves`: for each pod what services lead to it."""

    proxies: OfProxies
    access: Access
    gateways: Gateways
    serves: Mapping[str, tuple[Served, ...]]

    @classmethod
    def of(
        cls,
        documents: Documents,
        world: World,
        serves: Mapping[str, tuple[Served, ...]],
        gateways: Gateways,
        steps: Steps,
    ) -> "PodPolicies":
        """Those of these documents."""
        root, settings = world.settings.root_namespace, world.settings
        kept = steps.within("access")

        def access(documents: Documents, root: str, findings: Findings) -> Access:
            return Access(documents, root, Steps(kept, findings))

        proxies = OfProxies(
            tokens=steps.made("tokens", Tokens, documents.only(RequestAuthentication), root),
            telemetries=steps.made("telemetries", Telemetries, documents.only(Telemetry), settings, world.visibility),
            patches=steps.made("patches", EnvoyFilters, documents.only(EnvoyFilter), root),
            configs=steps.made("configs", ProxyConfigs, documents.only(ProxyConfig), settings),
            shaping=world.shaping,
            sidecars=world.sidecars,
        )
        policies = steps.judged("access", access, documents.only(AuthorizationPolicy), root)
        return cls(proxies, policies, gateways, serves)

    @property
    def patches(self) -> EnvoyFilters:
        """All EnvoyFilters."""
        return self.proxies.patches


def attached_pods(seats: tuple[Seat, ...], policies: PodPolicies, world: World, steps: Steps) -> tuple[Pod, ...]:
    """The pods with everything that Istio would attach to them."""
    outbounds = Outbounds(world, steps)
    return tuple(_attached(seat, policies, world, outbounds, steps) for seat in seats)


def _attached(seat: Seat, policies: PodPolicies, world: World, outbounds: Outbounds, steps: Steps) -> Pod:
    key, labels = seat.pod.key, seat.pod.labels
    if seat.pod.proxy is Proxy.NONE:
        return seat.pod
    serves = policies.serves.get(key, ())
    pod = steps.judged(("proxy", key), _with_proxy, seat, serves, policies.proxies)
    access = policies.access.of(pod.namespace, labels)
    if pod.proxy is Proxy.GATEWAY:
        open_ = partial(gateway_side, kept=steps.within(("gateway", key)))
        side = steps.judged(("gateway", key), open_, pod, policies.gateways, serves, world)
        return steps.made(("opening", key), _opening, pod, access, side)
    return steps.judged(("calling", key), _calling, pod, access, outbounds.of(pod), world.sidecars)


def _with_proxy(seat: Seat, serves: tuple[Served, ...], policies: OfProxies, findings: Findings) -> Pod:
    """Who may call it and whom it calls comes later."""
    namespace, labels = seat.pod.namespace, seat.pod.labels
    server, client = policies.telemetries.of(seat.pod, findings)
    pod = replace(
        seat.pod,
        jwt=policies.tokens.of(namespace, labels),
        server_telemetry=server,
        client_telemetry=client,
        patches=policies.patches.of(namespace, labels),
        env=policies.configs.environment(seat.pod),
    )
    if pod.proxy is Proxy.GATEWAY:
        return pod
    shaping = policies.shaping
    modes = shaping.authentications.modes(namespace, labels)
    sidecar = policies.sidecars.of(namespace, labels)
    return replace(pod, inbound=inbound(seat, serves, modes, shaping, sidecar), default_mtls=modes.default)


def _opening(pod: Pod, access: tuple[AccessPolicy, ...], side: GatewaySide) -> Pod:
    return replace(pod, access=access, servers=side.servers, outbound=side.outbound)


def _calling(
    pod: Pod, access: tuple[AccessPolicy, ...], outbound: Outbound, sidecars: Sidecars, findings: Findings
) -> Pod:
    pod = replace(pod, access=access, outbound=outbound)
    sidecar = sidecars.of(pod.namespace, pod.labels)
    if sidecar is not None:
        check_spans(sidecar, pod, findings)
    return pod
