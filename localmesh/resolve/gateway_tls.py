"""TLS at a gateway, and the Secrets that Gateways and DestinationRules name."""

from collections.abc import Iterable, Iterator, Mapping

from localmesh.errors import Where
from localmesh.manifests.documents import Documents
from localmesh.manifests.istio import DestinationRule, Gateway
from localmesh.manifests.istio.common import ServerTLSSettings
from localmesh.manifests.istio.destination_rule import ClientTLSSettings
from localmesh.mesh import Credential
from localmesh.mesh.pods import ServerTls
from localmesh.resolve.environment import Stores
from localmesh.resolve.findings import Findings, nearest

# The keys of a Secret of type kubernetes.io/tls, and of a generic one. See Istio's "Secure Gateways".
KEYS = (("tls.crt", "tls.key", "ca.crt"), ("cert", "key", "cacert"))


def server_tls(written: ServerTLSSettings | None) -> ServerTls | None:
    """A server's tls block; one that only redirects ends no TLS."""
    if written is None or written.https_redirect:
        return None
    return ServerTls(
        mode=written.mode or "PASSTHROUGH",
        credential_name=written.credential_name or "",
        server_certificate=written.server_certificate or "",
        private_key=written.private_key or "",
        ca_certificates=written.ca_certificates or "",
        subject_alt_names=written.subject_alt_names,
        minimum_version=written.min_protocol_version or "",
        maximum_version=written.max_protocol_version or "",
        cipher_suites=written.cipher_suites,
        certificate_hashes=written.verify_certificate_hash,
        certificate_spki=written.verify_certificate_spki,
    )


def credentials(
    documents: Documents, gateways: Mapping[str, tuple[Gateway, ...]], findings: Findings
) -> dict[str, Credential]:
    """The Secrets that gateways name, by `namespace/name`: they are looked for in the namespace of the gateway's pods.

    `gateways`: the Gateways that the pods of each namespace serve.
    """
    stores = Stores(documents).secrets
    found: dict[str, Credential] = {}
    for namespace, served in gateways.items():
        for tls in _blocks(served):
            place, _, name = (tls.credential_name or "").rpartition("://")[2].rpartition("/")
            owner = place or namespace  # the Gateway API names it, by `kubernetes-gateway://namespace/name`
            found_one = _find(stores, owner, name, tls.at("credential_name"), findings) if name else None
            if found_one is not None:
                found[f"{owner}/{name}"] = found_one
    return found


def client_credentials(
    documents: Documents, gateway_namespaces: Iterable[str], findings: Findings
) -> dict[str, Credential]:
    """The Secrets that DestinationRules name, by `namespace/name`.

    A rule that chooses its workloads means a Secret beside them; any other is for gateways, which look in their own
    namespaces.
    """
    stores = Stores(documents).secrets
    found: dict[str, Credential] = {}
    for rule in documents.of(DestinationRule):
        for tls in _client_blocks(rule):
            name = (tls.credential_name or "").removeprefix("kubernetes://")
            chosen = rule.spec.workload_selector is not None
            for namespace in (rule.namespace,) if chosen else tuple(gateway_namespaces):
                where, asks = tls.at("credential_name"), tls.mode == "MUTUAL"
                if chosen or (namespace, name) in stores:
                    one = _find(stores, namespace, name, where, findings, needs_key=asks)
                    found |= {f"{namespace}/{name}": one} if one else {}
    return found


def _client_blocks(rule: DestinationRule) -> Iterator[ClientTLSSettings]:
    for policy in (rule.spec.traffic_policy, *(each.traffic_policy for each in rule.spec.subsets)):
        ports = policy.port_level_settings if policy else ()
        yield from (each.tls for each in (policy, *ports) if each and each.tls and each.tls.credential_name)


def _blocks(gateways: tuple[Gateway, ...]) -> Iterator[ServerTLSSettings]:
    return (server.tls for each in gateways for server in each.spec.servers if server.tls is not None)


def _find(
    stores: Mapping[tuple[str, str], Mapping[str, bytes]],
    namespace: str,
    name: str,
    where: Where,
    findings: Findings,
    *,
    needs_key: bool = True,
) -> Credential | None:
    secret = stores.get((namespace, name))
    if secret is None:
        known = (each for space, each in stores if space == namespace)
        hint = nearest(name, known) or "a credential is looked for in the namespace of the pods that use it"
        findings.problem(where, f"there is no Secret {namespace}/{name}", hint)
        return None
    of_ca = stores.get((namespace, f"{name}-cacert"), {})
    for certificate, key, ca in KEYS:
        authority = secret.get(ca) or of_ca.get(ca) or b""
        if certificate in secret and key in secret:
            return Credential(secret[certificate], secret[key], authority)
        if authority and not needs_key:
            return Credential(b"", b"", authority)
    missing = "tls.crt and tls.key" if needs_key else "ca.crt"
    findings.problem(where, f"Secret {namespace}/{name} has no {missing}")
    return None
