"""Domain errors <-> gRPC status with google.rpc details: the only table, read in both directions.

Each error carries an ErrorInfo (reason, domain, and every dynamic value of the message, AIP-193); a BadRequest, a
ResourceInfo and a RetryInfo where the error has them.
"""

from collections.abc import Iterable
from contextlib import suppress

import grpc
from google.protobuf import any_pb2, duration_pb2
from google.protobuf.message import DecodeError
from google.rpc import error_details_pb2, status_pb2

from services.common import errors

DETAILS_KEY = "grpc-status-details-bin"

CODES: dict[type[errors.DomainError], grpc.StatusCode] = {
    errors.InvalidArgument: grpc.StatusCode.INVALID_ARGUMENT,
    errors.Unauthenticated: grpc.StatusCode.UNAUTHENTICATED,
    errors.PermissionDenied: grpc.StatusCode.PERMISSION_DENIED,
    errors.NotFound: grpc.StatusCode.NOT_FOUND,
    errors.AlreadyExists: grpc.StatusCode.ALREADY_EXISTS,
    errors.Aborted: grpc.StatusCode.ABORTED,
    errors.FailedPrecondition: grpc.StatusCode.FAILED_PRECONDITION,
    errors.OutOfRange: grpc.StatusCode.OUT_OF_RANGE,
    errors.ResourceExhausted: grpc.StatusCode.RESOURCE_EXHAUSTED,
    errors.DeadlineExceeded: grpc.StatusCode.DEADLINE_EXCEEDED,
    errors.Cancelled: grpc.StatusCode.CANCELLED,
    errors.Unavailable: grpc.StatusCode.UNAVAILABLE,
    errors.Unimplemented: grpc.StatusCode.UNIMPLEMENTED,
    errors.Internal: grpc.StatusCode.INTERNAL,
    errors.DataLoss: grpc.StatusCode.DATA_LOSS,
}
_ERRORS = {code: kind for kind, code in CODES.items()}

_DETAILS = {
    kind.DESCRIPTOR.full_name: kind
    for kind in (
        error_details_pb2.ErrorInfo,
        error_details_pb2.BadRequest,
        error_details_pb2.ResourceInfo,
        error_details_pb2.RetryInfo,
    )
}

# A status travels as metadata, of which gRPC takes 8 KiB and Envoy no more of its own: who sends more than that sends
# another status. The details are base64 on the way, the message is there twice, and percent-encoded.
_MOST_BYTES = 2 * 1024  # of violations
_MOST_CHARACTERS = 200  # of each text


def code_of(error: errors.DomainError) -> grpc.StatusCode:
    """The code that this error ends a call with."""
    for kind in type(error).__mro__:
        if kind in CODES:
            return CODES[kind]
    return grpc.StatusCode.INTERNAL


def to_status(error: errors.DomainError, domain: str) -> status_pb2.Status:
    """The google.rpc.Status of an error; `domain` is the package that owns the reason, such as `user.v1`.

    Long texts and long lists of violations are cut: all of it must fit into metadata.
    """
    metadata = {key: _short(value) for key, value in error.values.items()}
    details = [_packed(error_details_pb2.ErrorInfo(reason=error.reason, domain=domain, metadata=metadata))]
    if error.violations:
        details.append(_packed(_bad_request(error.violations)))
    if error.resource is not None:
        name = _short(error.resource.name)
        details.append(_packed(error_details_pb2.ResourceInfo(resource_type=error.resource.type, resource_name=name)))
    if error.retry_after_seconds is not None:
        delay = duration_pb2.Duration()
        delay.FromMilliseconds(round(error.retry_after_seconds * 1000))
        details.append(_packed(error_details_pb2.RetryInfo(retry_delay=delay)))
    return status_pb2.Status(code=code_of(error).value[0], message=_short(error.message), details=details)


def from_call(error: grpc.aio.AioRpcError) -> errors.DomainError:
    """What the other side meant. A status without details (a proxy's, say) has the name of its code as the reason.

    The same details as sent: reason, values, violations, resource, retry_after_seconds. Unknown codes become Internal.
    """
    reason, values = error.code().name, dict[str, str]()
    violations: list[errors.Violation] = []
    resource: errors.Resource | None = None
    retry_after_seconds: float | None = None
    for detail in _details(error):
        if isinstance(detail, error_details_pb2.ErrorInfo):
            reason, values = detail.reason, dict(detail.metadata)
        elif isinstance(detail, error_details_pb2.BadRequest):
            violations = [errors.Violation(one.field, one.description, one.reason) for one in detail.field_violations]
        elif isinstance(detail, error_details_pb2.ResourceInfo):
            resource = errors.Resource(detail.resource_type, detail.resource_name)
        elif isinstance(detail, error_details_pb2.RetryInfo):
            retry_after_seconds = detail.retry_delay.seconds + detail.retry_delay.nanos / 1e9
    meant = _ERRORS.get(error.code(), errors.Internal)(
        reason,
        "{message}",
        violations=violations,
        resource=resource,
        retry_after_seconds=retry_after_seconds,
        message=error.details() or "",
    )
    meant.values = values
    return meant


def _details(error: grpc.aio.AioRpcError) -> list[object]:
    """The details that we know how to read; none if they do not parse: an error must not hide behind another."""
    sent = [value for key, value in error.trailing_metadata() or () if key == DETAILS_KEY and isinstance(value, bytes)]
    with suppress(DecodeError):
        packed = [detail for one in sent for detail in status_pb2.Status.FromString(one).details]
        return [_DETAILS[name].FromString(one.value) for one in packed if (name := one.TypeName()) in _DETAILS]
    return []


def _bad_request(violations: Iterable[errors.Violation]) -> error_details_pb2.BadRequest:
    """The first of the violations, as many as there is room for."""
    request = error_details_pb2.BadRequest()
    for violation in violations:
        request.field_violations.add(
            field=_short(violation.field), description=_short(violation.description), reason=violation.reason
        )
        if request.ByteSize() > _MOST_BYTES:
            del request.field_violations[-1]
            break
    return request


def _short(text: str) -> str:
    return text if len(text) <= _MOST_CHARACTERS else f"{text[: _MOST_CHARACTERS - 1]}…"


def _packed(message: object) -> any_pb2.Any:
    packed = any_pb2.Any()
    packed.Pack(message)  # type: ignore[arg-type]  # google.rpc has no stubs
    return packed
