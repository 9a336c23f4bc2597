"""Messages that several Istio kinds share (istio.io/api 1.30: type/v1beta1, networking/v1alpha3)."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, Literal

from localmesh.manifests.record import Port, Record, UInt32, empty_map


@dataclass(frozen=True, slots=True, kw_only=True)
class StringMatch(Record):
    """One of exact, prefix and regex. `{}` is a match too: present, with none of them set (the value is there)."""

    AT_MOST_ONE: ClassVar[tuple[tuple[str, ...], ...]] = (("exact", "prefix", "regex"),)

    exact: str | None = None
    prefix: str | None = None
    regex: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PortSelector(Record):
    """A port of a service, by number."""

    number: Port


@dataclass(frozen=True, slots=True, kw_only=True)
class Destination(Record):
    """Where a route leads: a host of the registry, a DestinationRule's subset of it, a port of it."""

    host: str
    subset: str | None = None
    port: PortSelector | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Percent(Record):
    """A share in percent, 0 to 100."""

    value: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelSelector(Record):
    """type.v1beta1.WorkloadSelector: pods whose labels hold all of these (security, telemetry, DestinationRule)."""

    match_labels: Mapping[str, str] = empty_map()


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkloadSelector(Record):
    """networking.WorkloadSelector (Sidecar, ServiceEntry): as LabelSelector, spelled `labels`."""

    labels: Mapping[str, str] = empty_map()


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyTargetReference(Record):
    """The Gateway, Service or ServiceEntry that a policy is attached to by name."""

    kind: str
    name: str
    group: str | None = None
    namespace: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Attached(Record):
    """What a policy is for: pods by their labels, or targets by name. Neither is the whole namespace."""

    AT_MOST_ONE: ClassVar[tuple[tuple[str, ...], ...]] = (
        ("selector", "target_refs"),
        ("selector", "target_ref"),
        ("target_ref", "target_refs"),
    )

    selector: LabelSelector | None = None
    target_ref: PolicyTargetReference | None = None
    target_refs: tuple[PolicyTargetReference, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ServicePort(Record):
    """A port of a ServiceEntry, with the port its endpoints listen on when that is another."""

    number: Port
    name: str
    protocol: str | None = None
    target_port: UInt32 | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerPort(Record):
    """The port of a Gateway server."""

    number: Port
    protocol: str
    name: str
    target_port: UInt32 | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SidecarPort(Record):
    """The port of a Sidecar listener."""

    number: UInt32 | None = None
    protocol: str | None = None
    name: str | None = None
    target_port: UInt32 | None = None


ServerTLSMode = Literal["PASSTHROUGH", "SIMPLE", "MUTUAL", "AUTO_PASSTHROUGH", "ISTIO_MUTUAL", "OPTIONAL_MUTUAL"]
TLSProtocol = Literal["TLS_AUTO", "TLSV1_0", "TLSV1_1", "TLSV1_2", "TLSV1_3"]


@dataclass(frozen=True, slots=True, kw_only=True)
class TLSCertificate(Record):
    """One certificate of several that a server offers, by files."""

    server_certificate: str | None = None
    private_key: str | None = None
    ca_certificates: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerTLSSettings(Record):
    """TLS of a listener: of a Gateway server or a Sidecar's ingress. An absent mode is PASSTHROUGH."""

    https_redirect: bool = False
    mode: ServerTLSMode | None = None
    server_certificate: str | None = None
    private_key: str | None = None
    ca_certificates: str | None = None
    ca_crl: str | None = None
    credential_name: str | None = None
    credential_names: tuple[str, ...] = ()
    ca_cert_credential_name: str | None = None
    tls_certificates: tuple[TLSCertificate, ...] = ()
    subject_alt_names: tuple[str, ...] = ()
    verify_certificate_spki: tuple[str, ...] = ()
    verify_certificate_hash: tuple[str, ...] = ()
    min_protocol_version: TLSProtocol | None = None
    max_protocol_version: TLSProtocol | None = None
    cipher_suites: tuple[str, ...] = ()
