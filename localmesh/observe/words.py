"""What a span says, in words: who made it, how the call ended, and what a proxy did with it.

Envoy's tags: https://www.envoyproxy.io/docs/envoy/latest/intro/arch_overview/observability/tracing; those that Envoy
does not set by itself (route, attempts, details) come from deploy/istio/telemetry.yaml, named as in the access log.
Response flags: https://www.envoyproxy.io/docs/envoy/latest/configuration/observability/access_log/usage.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from urllib.parse import unquote

import grpc
from opentelemetry.proto.trace.v1 import trace_pb2

from localmesh.observe.denials import Refused
from localmesh.observe.spans import Span, attributes, texts

FLAGS = {
    "DC": "the caller hung up",
    "DI": "delayed by a fault of a VirtualService",
    "DR": "the caller reset the call",
    "DPE": "the caller broke the protocol",
    "DT": "it took longer than a request or connection may",
    "FI": "aborted by a fault of a VirtualService",
    "IH": "a header of the request is not valid",
    "LH": "the service did not pass its health check",
    "LR": "the connection was reset here",
    "NC": "there is no such cluster",
    "NFCF": "the filter configuration has not come in time",
    "NR": "no route matches",
    "OM": "the proxy was overloaded",
    "RL": "limited by rate",
    "SI": "the stream was idle for too long",
    "UAEX": "the authorizer said no",
    "UC": "the service ended the connection",
    "UF": "no connection to the service",
    "UH": "no endpoint of the service is healthy",
    "UMSDR": "it took longer than a stream may",
    "UO": "a connection pool of a DestinationRule was full",
    "UPE": "the service broke the protocol",
    "UR": "the service reset the call",
    "URX": "all attempts of the retry policy are used up",
    "UT": "the timeout of its route was over",
}
# Whose doing a response flag is, and what that policy did.
_DOING = {
    "DI": ("VirtualService", "delayed"),
    "FI": ("VirtualService", "aborted"),
    "URX": ("VirtualService", "tried again as often as it may be"),
    "UT": ("VirtualService", "timed out"),
    "UO": ("DestinationRule", "refused"),
}
ATTEMPT, IN, OUT, GATEWAY = "attempt", "sidecar in", "sidecar out", "gateway"
_KINDS = {
    trace_pb2.Span.SPAN_KIND_SERVER: "server",
    trace_pb2.Span.SPAN_KIND_CLIENT: "client",
    trace_pb2.Span.SPAN_KIND_PRODUCER: "producer",
    trace_pb2.Span.SPAN_KIND_CONSUMER: "consumer",
}
_CODES = frozenset(code.name for code in grpc.StatusCode)
_OUTBOUND = re.compile(r"outbound\|\d+\|[^|]*\|(.+)")
# Response code details of a call that came through.
_USUAL = frozenset({"", "-", "via_upstream"})


@dataclass(frozen=True, slots=True)
class Acted:
    """What a policy of this kind for this host did to a call, by its response flag."""

    kind: str
    host: str
    what: str


@dataclass(frozen=True, slots=True)
class Told:
    """What one span says."""

    who: str  # the pod, or the service where no pod is told (as in Envoy's spans of single attempts)
    role: str  # a proxy's, as above; a program's server, client, producer, consumer; empty for what is of no call
    what: str
    ended: str  # a gRPC status, an HTTP status, or ERROR; empty where nothing is known
    failed: bool
    notes: tuple[str, ...] = ()
    answered: Refused | None = None  # a proxy answered the call itself: what there is to explain it by
    acted: tuple[Acted, ...] = ()


def told(span: Span) -> Told:
    """What this span says."""
    message = trace_pb2.Span.FromString(span.body)
    said = attributes(span)
    proxy = said.get("component") == "proxy"
    attempt = proxy and "upstream_address" in said and message.kind == trace_pb2.Span.SPAN_KIND_CLIENT
    role = ATTEMPT if attempt else _proxy_role(said, message) if proxy else _KINDS.get(message.kind, "")
    return Told(
        who=_who(said, span, proxy),
        role=role,
        what=f"→ {said['upstream_address']}" if attempt else span.what,
        ended=_ended(said, span),
        failed=span.failed,
        notes=tuple(_proxy_notes(said) if proxy else _notes(message)),
        answered=_answered(said, span) if proxy else None,
        # A gateway's routes are of documents for any host: the note of the route's name leads to them.
        acted=tuple(_acted(said)) if proxy and role == OUT else (),
    )


def _who(said: Mapping[str, str], span: Span, proxy: bool) -> str:
    """Envoy's node is `<pod>.<namespace>`."""
    if proxy:
        return said["node_id"].rpartition(".")[0] if said.get("node_id") else span.source.service
    return said.get("service.instance.id") or span.source.service


def _proxy_role(said: Mapping[str, str], message: trace_pb2.Span) -> str:
    """A gateway is a server that calls outward; where it answers by itself, Envoy's name of the span says so."""
    if message.kind == trace_pb2.Span.SPAN_KIND_CLIENT:
        return OUT
    outward = _OUTBOUND.match(said.get("upstream_cluster", "")) or message.name.startswith("egress ")
    return GATEWAY if outward else IN


def _ended(said: Mapping[str, str], span: Span) -> str:
    if span.status:
        return span.status
    if "grpc.path" in said:
        return "no status"
    code = said.get("http.status_code") or said.get("http.response.status_code")
    if code == "0":  # Envoy's, of an attempt that was given up
        return "no answer"
    return f"HTTP {code}" if code else "ERROR" if span.failed else ""


def _proxy_notes(said: Mapping[str, str]) -> Iterator[str]:
    """What a proxy did with the call, as far as it is not the usual."""
    for flag in said.get("response_flags", "-").split(","):
        if flag not in {"-", ""}:
            yield f"{flag}: {FLAGS.get(flag, 'see the list of response flags')}"
    attempts = said.get("upstream_request_attempt_count", "-")
    if attempts.isdigit() and int(attempts) > 1:
        yield f"{attempts} attempts"
    for key, word in (("upstream_transport_failure_reason", "no connection"), ("grpc.message", "")):
        text = unquote(said.get(key, ""))
        if text not in {"", "-"}:
            yield f"{word}: {text}" if word else text
    if "node_id" in said and said.get("route_name", "-") not in {"-", "", "default"}:
        yield f"route {said['route_name']}"


def _acted(said: Mapping[str, str]) -> Iterator[Acted]:
    outbound = _OUTBOUND.match(said.get("upstream_cluster", ""))
    for flag in said.get("response_flags", "").split(","):
        if outbound and flag in _DOING:
            kind, what = _DOING[flag]
            yield Acted(kind, outbound[1], what)


def _notes(message: trace_pb2.Span) -> Iterator[str]:
    """What a program said of its own span."""
    if message.status.message and message.status.message not in _CODES:
        yield message.status.message
    for event in message.events:
        said = texts(event.attributes)
        text = said.get("exception.message") or ", ".join(f"{key}={value}" for key, value in said.items())
        yield f"{event.name}: {text}" if text else event.name
    for link in message.links:
        yield f"linked to span {link.span_id.hex()} of trace {link.trace_id.hex()}"


def _answered(said: Mapping[str, str], span: Span) -> Refused | None:
    details = said.get("response_code_details", "")
    if details in _USUAL:
        return None
    name, _, namespace = said.get("node_id", "").rpartition(".")
    caller = said.get("peer", "-")
    return Refused(details, f"{namespace}/{name}", "" if caller == "-" else caller, span.what)
