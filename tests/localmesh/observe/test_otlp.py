"""Spans out as they came in, and in OTLP's JSON form."""

import json

from opentelemetry.proto.trace.v1 import trace_pb2

from localmesh.observe import otlp
from localmesh.observe.spans import received
from tests.localmesh.observe.otlp_spans import CLIENT, export, keys, span

# Of the example in opentelemetry-proto (examples/trace.json).
TRACE, SPAN, PARENT = "5b8efff798038103d269b633813fc60c", "eee19b7ec3c1b174", "eee19b7ec3c1b173"


def test_spans_go_out_as_they_came_in_those_of_one_source_together() -> None:
    made = received(export([span(), span()])) + received(export([span()], service="user"))
    data = otlp.encode(made)
    assert set(otlp.decode(data)) == set(made)
    assert len(trace_pb2.TracesData.FromString(data).resource_spans) == 2


def test_json_has_hexadecimal_ids_and_numbers_for_enums_as_the_specification_says() -> None:
    one = span(TRACE, id=SPAN, parent=PARENT, kind=CLIENT, error=True, said={"my.key": "v"})
    one.links.add(trace_id=bytes.fromhex(TRACE), span_id=bytes.fromhex(PARENT))
    one.events.add(name="sent", time_unix_nano=5, attributes=keys({"n": "1"}))
    (group,) = json.loads(otlp.to_json(otlp.encode(received(export([one])))))["resourceSpans"]
    assert {"key": "service.name", "value": {"stringValue": "chat"}} in group["resource"]["attributes"]
    assert group["scopeSpans"] == [
        {
            "scope": {"name": "tests"},
            "spans": [
                {
                    "traceId": TRACE,
                    "spanId": SPAN,
                    "parentSpanId": PARENT,
                    "name": "work",
                    "kind": 3,
                    "startTimeUnixNano": "1700000000000000000",
                    "endTimeUnixNano": "1700000000001000000",
                    "attributes": [{"key": "my.key", "value": {"stringValue": "v"}}],
                    "events": [
                        {
                            "timeUnixNano": "5",
                            "name": "sent",
                            "attributes": [{"key": "n", "value": {"stringValue": "1"}}],
                        }
                    ],
                    "links": [{"traceId": TRACE, "spanId": PARENT}],
                    "status": {"code": 2},
                }
            ],
        }
    ]
