"""A failed call in one or two lines, and the exit code it ends the command with."""

import grpc
from google.protobuf.message import DecodeError
from google.rpc import error_details_pb2, status_pb2

REFUSED = 1  # the answer is no: repeating the command cannot help
UNREACHABLE = 3  # nobody answered: repeating it later may help

_DETAILS_KEY = "grpc-status-details-bin"
_AWAY = (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED)


class Failure(Exception):
    """What a person is told instead of a traceback: `what`, perhaps in two lines, and the exit code."""

    def __init__(self, what: str, exit_code: int = REFUSED) -> None:
        super().__init__(what)
        self.exit_code = exit_code


def reason(error: grpc.aio.AioRpcError) -> str:
    """ErrorInfo's stable reason. Empty where the error has none: then the path made it, not a service."""
    for info in _details(error, error_details_pb2.ErrorInfo):
        return str(info.reason)
    return ""


def says_where_to_go_on(error: grpc.aio.AioRpcError) -> bool:
    """Whether a service has ended a stream that it had served, as its contract says: after which item to go on."""
    return any("resume_after" in info.metadata for info in _details(error, error_details_pb2.ErrorInfo))


def described(error: grpc.aio.AioRpcError) -> str:
    """`CODE REASON: message`, and below it what is wrong with which field."""
    name = f"{error.code().name} {reason(error)}".rstrip()
    first = f"{name}: {_one_line(error.details() or 'no message')}"
    violations = [
        f"{violation.field}: {_one_line(violation.description)}"
        for bad in _details(error, error_details_pb2.BadRequest)
        for violation in bad.field_violations
    ]
    return f"{first}\n  {'; '.join(violations)}" if violations else first


def of_call(error: grpc.aio.AioRpcError, target: str) -> Failure:
    """The failure that a call's error is for a person who called `target`."""
    if error.code() in _AWAY and not reason(error):
        return Failure(f"{described(error)}\n  does the mesh run? `make up`; I called {target}", UNREACHABLE)
    return Failure(described(error), UNREACHABLE if error.code() in _AWAY else REFUSED)


def _details(error: grpc.aio.AioRpcError, kind: type) -> list:  # type: ignore[type-arg]  # google.rpc has no stubs
    """The details of one kind; none if they do not parse: an error must not hide behind another."""
    found = []
    for key, value in error.trailing_metadata() or ():
        if key == _DETAILS_KEY and isinstance(value, bytes):
            try:
                packed = status_pb2.Status.FromString(value).details
            except DecodeError:
                continue
            for detail in packed:
                message = kind()
                if detail.Unpack(message):
                    found.append(message)
    return found


def _one_line(text: str) -> str:
    return " ".join(text.split())
