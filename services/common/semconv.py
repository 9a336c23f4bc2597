"""The names of OpenTelemetry's semantic conventions that we use, all of them here and nowhere else.

RPC and gRPC as of their release candidate (schema 1.44), databases and messaging as they are: one set of names, as
OTEL_SEMCONV_STABILITY_OPT_IN=rpc would ask for. There are no older ones to choose, so that variable is not read.
https://opentelemetry.io/docs/specs/semconv/rpc/grpc/
https://opentelemetry.io/docs/specs/semconv/db/database-spans/
https://opentelemetry.io/docs/specs/semconv/messaging/messaging-spans/

In Prometheus a name's dots are underscores, and a duration ends with its unit: `rpc_server_call_duration_seconds`.
What becomes a label is one of a few words that stand in our code, never what a caller chose.
"""

# In place of whatever is not one of the known words. A method that nobody serves is not told in `rpc.method_original`
# either, as the conventions would have it: it is what a stranger chose to send.
OTHER = "_OTHER"

ERROR_TYPE = "error.type"

RPC_SYSTEM = "rpc.system.name"
RPC_METHOD = "rpc.method"  # fully qualified: user.v1.UserService/GetUser
RPC_CODE = "rpc.response.status_code"  # OK, NOT_FOUND …
GRPC = "grpc"
SERVER_ADDRESS = "server.address"  # of a client's span, and as it was told: `chat`, not who answers in the end
SERVER_PORT = "server.port"

# Ours: the conventions have no names for the messages of a stream, nor for an end that the server meant.
MESSAGES_RECEIVED = "grpc.messages.received"
MESSAGES_SENT = "grpc.messages.sent"
STREAM_ENDED = "grpc.stream.ended"  # STREAM_DRAINING, STREAM_MAX_AGE

DB_SYSTEM = "db.system.name"
DB_OPERATION = "db.operation.name"
DB_SUMMARY = "db.query.summary"
DB_BATCH_SIZE = "db.operation.batch.size"
POSTGRESQL = "postgresql"

MESSAGING_SYSTEM = "messaging.system"
MESSAGING_OPERATION = "messaging.operation.name"
MESSAGING_OPERATION_TYPE = "messaging.operation.type"  # send, process …
MESSAGING_TEMPLATE = "messaging.destination.template"
MESSAGING_BATCH_SIZE = "messaging.batch.message_count"
NATS = "nats"

RPC_LABELS = ("rpc_system_name", "rpc_method", "rpc_response_status_code", "error_type")
RPC_BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0)
DB_LABELS = ("db_system_name", "db_query_summary", "error_type")
DB_BUCKETS = (0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1.0, 5.0, 10.0)


# Of the SDK itself: https://opentelemetry.io/docs/specs/semconv/otel/sdk-metrics/
SPANS_EXPORTED = "otel_sdk_exporter_span_exported_total"
LOST = "lost"
SPANS_PROCESSED = "otel_sdk_processor_span_processed_total"
QUEUE_FULL = "queue_full"


def rpc_duration(side: str) -> str:
    """The histogram of calls in Prometheus; `side` is `server` or `client`."""
    return f"rpc_{side}_call_duration_seconds"


DB_DURATION = "db_client_operation_duration_seconds"


def server(target: str) -> dict[str, str | int]:
    """Whom a client calls, by its channel's target: `host:port`, or `unix:/path`, which has no port."""
    host, colon, port = target.rpartition(":")
    if colon and port.isdecimal():
        return {SERVER_ADDRESS: host.strip("[]"), SERVER_PORT: int(port)}
    return {SERVER_ADDRESS: target.removeprefix("unix:")}
