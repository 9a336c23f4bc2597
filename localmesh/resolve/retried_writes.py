"""Retries of calls that may have been carried out: judged by what is retried, and by the method's name.

A method whose name begins with a word of AIP-130's for reading is taken for read-only, everything else for a write.
"""

import re
from collections.abc import Iterable, Mapping

from localmesh.codes import RETRIED_WRITE
from localmesh.manifests.istio.virtual_service import HTTPRetry, HTTPRoute
from localmesh.mesh.identity import Protocol
from localmesh.mesh.services import Service
from localmesh.resolve.findings import Findings
from localmesh.resolve.hosts import qualified
from localmesh.resolve.retries import DEFAULT_ON
from localmesh.resolve.virtual_services import Bound

_READ = re.compile(
    r"(BatchGet|Get|List|Watch|Read|Search|Query|Find|Lookup|Check|Count|Describe|Download|Subscribe)(?=[A-Z0-9]|$)"
)
_METHOD = re.compile(r"/[\w.]+/(\w+)")
# What a call can end with after the server has acted.
_AFTER = frozenset({"cancelled", "deadline-exceeded", "internal", "reset", "5xx", "gateway-error"})
# Sent by servers that do not act, and by the server's sidecar when the server is gone in the middle of a call.
_PERHAPS_AFTER = frozenset({"unavailable"})


def check_retries(
    every: Iterable[Bound], services: Mapping[str, Service], default: HTTPRetry | None, findings: Findings
) -> None:
    """Routes to gRPC ports whose retries may carry out a write twice. `default`: the mesh's own policy."""
    for bound in every:
        for route in bound.written.spec.http if bound.written is not None else ():
            if _leads_to_grpc(route, bound.namespace, services):
                _check(route, default, findings)


def _check(route: HTTPRoute, default: HTTPRetry | None, findings: Findings) -> None:
    retries = route.retries or default
    if retries is not None and not retries.attempts:
        return
    written = (retries.retry_on if retries else None) or ""
    words = frozenset(written.split(",")) if written else frozenset(DEFAULT_ON)
    methods = [found[1] for each in route.match if (found := _METHOD.fullmatch((each.uri and each.uri.exact) or ""))]
    if len(methods) == len(route.match) > 0 and all(_READ.match(each) for each in methods):
        return
    named = next((each for each in methods if not _READ.match(each)), "")
    risky = words & (_AFTER | _PERHAPS_AFTER) if named else words & _AFTER
    # Istio's own policy is in force on every route that says nothing: that is worth a word where a write is named.
    if risky and (named or written):
        where = route.retries.at("retry_on") if route.retries and route.retries.retry_on else route.where
        what = f"{named or 'every method of this route'} is tried again on {' and '.join(sorted(risky))}"
        findings.warn(RETRIED_WRITE, where, what, "it may have been carried out by then")


def _leads_to_grpc(route: HTTPRoute, namespace: str, services: Mapping[str, Service]) -> bool:
    for each in route.route:
        service = services.get(qualified(each.destination.host, namespace))
        wanted = each.destination.port
        for port in service.ports if service else ():
            if port.protocol is Protocol.GRPC and (wanted is None or wanted.number == port.number):
                return True
    return False
