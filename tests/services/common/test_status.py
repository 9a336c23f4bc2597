"""The table between domain errors and gRPC status."""

import grpc
import grpc.aio
import pytest
from google.protobuf import duration_pb2
from google.rpc import error_details_pb2

from services.common import errors, status
from services.common.errors import DomainError, Resource, Violation


def _as_seen(error: DomainError) -> grpc.aio.AioRpcError:
    meant = status.to_status(error, "user.v1")
    trailing = grpc.aio.Metadata((status.DETAILS_KEY, meant.SerializeToString()))
    return grpc.aio.AioRpcError(status.code_of(error), grpc.aio.Metadata(), trailing, error.message)


@pytest.mark.parametrize("kind", status.CODES)
def test_every_error_survives_the_wire(kind: type[DomainError]) -> None:
    """Both directions of the table agree."""
    sent = kind(
        "SOME_REASON",
        "{a} and {b}",
        violations=[Violation("user.email", "is odd", "rule")],
        resource=Resource("user.v1.User", "1"),
        retry_after_seconds=1.5,
        a=1,
        b="x",
    )
    got = status.from_call(_as_seen(sent))
    assert type(got) is kind
    assert (got.reason, got.values, got.violations) == (sent.reason, {"a": "1", "b": "x"}, sent.violations)
    assert (got.resource, got.retry_after_seconds, got.message) == (sent.resource, 1.5, "1 and x")


def test_every_code_but_ok_and_unknown_has_an_error() -> None:
    """UNKNOWN is what others send; it is read as Internal."""
    assert set(status.CODES.values()) == set(grpc.StatusCode) - {grpc.StatusCode.OK, grpc.StatusCode.UNKNOWN}
    assert set(status.CODES) == set(DomainError.__subclasses__())


def test_a_dynamic_value_that_is_not_named_cannot_be_sent() -> None:
    """AIP-193: what varies in the message is in the metadata, or the error cannot be made."""
    with pytest.raises(KeyError):
        errors.NotFound("X", "no {thing}")


@pytest.mark.parametrize("details", [None, b"\xff\xff"])
def test_a_status_without_details_is_read_by_its_code(details: bytes | None) -> None:
    """A proxy sends none; rubbish does not hide the error."""
    trailing = grpc.aio.Metadata(*(((status.DETAILS_KEY, details),) if details else ()))
    seen = grpc.aio.AioRpcError(
        grpc.StatusCode.UNAVAILABLE, grpc.aio.Metadata(), trailing, "upstream connect error {or} disconnect"
    )
    got = status.from_call(seen)
    assert isinstance(got, errors.Unavailable)
    assert (got.reason, got.values, got.message) == ("UNAVAILABLE", {}, "upstream connect error {or} disconnect")


def test_a_stream_that_ends_is_unavailable() -> None:
    """A subclass has its base's code."""
    assert status.code_of(errors.StreamEnded("STREAM_DRAINING", "7")) is grpc.StatusCode.UNAVAILABLE


def test_a_long_list_of_violations_fits_into_metadata() -> None:
    """The trailers are limited to 8 KiB on the way."""
    many = [Violation(f"ids[{number}]", "must be a valid UUID", "string.uuid") for number in range(1000)]
    error = errors.InvalidArgument("REQUEST_INVALID", "not valid", violations=many)
    assert len(status.to_status(error, "user.v1").SerializeToString()) < 4096


def test_a_retry_delay_without_measure_hides_no_error() -> None:
    """What others send is not ours to bound."""
    meant = status.to_status(errors.Unavailable("AWAY", "away", retry_after_seconds=1.0), "user.v1")
    delay = error_details_pb2.RetryInfo(retry_delay=duration_pb2.Duration(seconds=2**62))
    meant.details[-1].Pack(delay)
    trailing = grpc.aio.Metadata((status.DETAILS_KEY, meant.SerializeToString()))
    got = status.from_call(grpc.aio.AioRpcError(grpc.StatusCode.UNAVAILABLE, grpc.aio.Metadata(), trailing, "away"))
    assert (got.reason, got.retry_after_seconds) == ("AWAY", float(2**62))
