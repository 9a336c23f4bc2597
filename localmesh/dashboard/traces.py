"""Traces as the page shows them: plain values of what the control API gives as OTLP."""

import threading
from collections import OrderedDict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain, islice
from typing import cast

import grpc
from opentelemetry.proto.trace.v1 import trace_pb2

from localmesh.control.client import connected
from localmesh.control.control_pb2 import (
    GetStatusRequest,
    GetTraceRequest,
    ListPoliciesRequest,
    ListTracesRequest,
    TraceFilter,
    TraceSummary,
)
from localmesh.control.control_pb2_grpc import ControlServiceStub
from localmesh.control.policies import decode_policy
from localmesh.dashboard.reading import ANSWER_SECONDS, Json, as_json
from localmesh.errors import Where
from localmesh.observe import otlp
from localmesh.observe.denials import Refused, explained
from localmesh.observe.policies import Policy
from localmesh.observe.spans import Span, attributes
from localmesh.observe.traces import NANOSECONDS, Trace
from localmesh.observe.words import Acted, told
from localmesh.runtime.dirs import Dirs

MOST_TRACES = 100
# So many are looked at for those that went along one arrow.
MOST_LOOKED_AT = 400
_MS = 1_000_000


@dataclass(frozen=True, slots=True)
class Asked:
    """Which traces: those along the arrow from `source` to `target` (workloads), or, without a target, those in which
    the source takes part; the others as in TraceFilter.
    """

    service: str = ""
    failed: bool = False
    slower_than_seconds: float = 0.0
    source: str = ""
    target: str = ""


@dataclass(frozen=True, slots=True)
class Place:
    """A policy, or a rule of one, in a file."""

    policy: str  # its kind, `namespace/name`
    file: str
    line: int
    says: str


@dataclass(frozen=True, slots=True)
class Denied:
    """Why a call was denied: in a sentence, and what denied it, or could have allowed it and did not."""

    says: str
    places: list[Place]


@dataclass(frozen=True, slots=True)
class Bar:
    """One span, as a bar of the waterfall. `begin_ms` counts from the trace's begin."""

    id: str
    parent: str
    service: str
    who: str  # the pod, or the service where no pod is known
    role: str  # as in observe.words
    what: str
    begin_ms: float
    ms: float
    ended: str
    failed: bool
    notes: tuple[str, ...]
    denied: Denied | None
    acted: list[Place]  # what else a policy did to it: a timeout, a fault, a limit
    attributes: dict[str, str]
    links: list[str]  # ids of other traces


@dataclass(frozen=True, slots=True)
class Waterfall:
    """All spans of one trace, in the order of their begins."""

    id: str
    started_at: float  # Unix time
    ms: float
    spans: list[Bar]


class Traces:
    """The traces of one mesh. Remembers who called whom in those that it has looked at."""

    def __init__(self, dirs: Dirs) -> None:
        self._control = dirs.socket("control")
        # By a trace's id and number of spans: more may come. Used by several threads, one at a time, and none makes
        # a call meanwhile.
        self._calls: OrderedDict[tuple[str, int], frozenset[tuple[str, str]]] = OrderedDict()
        self._looking = threading.Lock()

    def listed(self, asked: Asked) -> list[Json]:
        """The summaries of these traces, the newest first: the control API's own JSON. Raises MeshError."""
        wanted = TraceFilter(service=asked.service, failed=asked.failed, slower_than_seconds=asked.slower_than_seconds)
        along = asked.source or asked.target
        limit = MOST_LOOKED_AT if along else MOST_TRACES
        with connected(self._control) as mesh:
            listed = mesh.ListTraces(ListTracesRequest(filter=wanted, limit=limit), timeout=ANSWER_SECONDS)
            found: Iterable[TraceSummary] = listed.traces
            if along:
                found = self._along(mesh, found, asked)
            return [as_json(each) for each in islice(found, MOST_TRACES)]

    def shown(self, id_: str) -> Waterfall:
        """One trace. Raises MeshError if it is not there (any more)."""
        with connected(self._control) as mesh:
            data = mesh.GetTrace(GetTraceRequest(id=id_), timeout=ANSWER_SECONDS).otlp
            policies = mesh.ListPolicies(ListPoliciesRequest(), timeout=ANSWER_SECONDS).policies
        return waterfall(Trace.of(otlp.decode(data)), [decode_policy(each) for each in policies])

    def _along(
        self, mesh: ControlServiceStub, summaries: Iterable[TraceSummary], asked: Asked
    ) -> Iterator[TraceSummary]:
        """Those in which the source's proxies called the target's; the source is "" for callers from outside."""
        pods = mesh.GetStatus(GetStatusRequest(), timeout=ANSWER_SECONDS).pods
        workloads = {f"{pod.name}.{pod.namespace}": pod.workload for pod in pods} | {"": ""}
        for summary in summaries:
            pairs = {(workloads.get(a), workloads.get(b)) for a, b in self._calls_of(mesh, summary)}
            if (asked.source, asked.target) in pairs or (not asked.target and asked.source in chain(*pairs)):
                yield summary

    def _calls_of(self, mesh: ControlServiceStub, summary: TraceSummary) -> frozenset[tuple[str, str]]:
        key = summary.id, summary.spans
        with self._looking:
            if key in self._calls:
                return self._calls[key]
        try:
            data = mesh.GetTrace(GetTraceRequest(id=summary.id), timeout=ANSWER_SECONDS).otlp
        except grpc.RpcError as error:
            if cast(grpc.Call, error).code() is grpc.StatusCode.DEADLINE_EXCEEDED:
                raise
            return frozenset()  # it has been forgotten meanwhile
        found = calls(otlp.decode(data))
        with self._looking:
            self._calls[key] = found
            while len(self._calls) > 2 * MOST_LOOKED_AT:
                self._calls.popitem(last=False)
        return found


def calls(spans: Iterable[Span]) -> frozenset[tuple[str, str]]:
    """Who called whom: pairs of proxies as they name themselves (`chat-0.mesh`), "" for a caller from outside.

    An Envoy's span of a single attempt does not name it; the span above does.
    """
    nodes = {span.id: (attributes(span).get("node_id", ""), span.parent) for span in spans}
    pairs = ((_caller(parent, nodes), node) for node, parent in nodes.values() if node)
    return frozenset((caller, node) for caller, node in pairs if caller != node)


def _caller(above: str, nodes: Mapping[str, tuple[str, str]]) -> str:
    """The nearest proxy above, each span looked at once: what senders make up may go in circles."""
    seen: set[str] = set()
    while above in nodes and above not in seen:
        seen.add(above)
        node, parent = nodes[above]
        if node:
            return node
        above = parent
    return ""


def waterfall(trace: Trace, policies: Sequence[Policy]) -> Waterfall:
    """A trace as the page draws it; denials are explained by the policies in force."""
    bars = [_bar(span, trace.begin, policies) for span in trace.spans]
    return Waterfall(trace.id, trace.begin / NANOSECONDS, trace.seconds * 1000, bars)


def _bar(span: Span, begin: int, policies: Sequence[Policy]) -> Bar:
    said, tags = told(span), attributes(span)
    return Bar(
        id=span.id,
        parent=span.parent,
        service=span.source.service,
        who=said.who,
        role=said.role,
        what=said.what,
        begin_ms=(span.begin - begin) / _MS,
        ms=(span.end - span.begin) / _MS,
        ended=said.ended,
        failed=said.failed,
        notes=said.notes,
        denied=_denied(said.answered, policies) if said.answered else None,
        acted=[place for each in said.acted for place in _acted(each, policies)],
        attributes={key: value for key, value in tags.items() if value not in {"", "-"}},
        links=[link.trace_id.hex() for link in trace_pb2.Span.FromString(span.body).links],
    )


def _denied(refused: Refused, policies: Sequence[Policy]) -> Denied | None:
    why = explained(refused, policies)
    if why is None:
        return None
    cited = (*why.acted, *why.asked)
    return Denied(why.what, [_place(each.kind, each.namespace, each.name, each.where, each.says) for each in cited])


def _acted(acted: Acted, policies: Sequence[Policy]) -> Iterator[Place]:
    for each in policies:
        if each.kind == acted.kind and each.is_for(acted.host):
            yield _place(each.kind, each.namespace, each.name, each.where, acted.what)


def _place(kind: str, namespace: str, name: str, where: Where, says: str) -> Place:
    return Place(f"{kind} {namespace}/{name}", where.file, where.line, says)
