"""protovalidate on every request message, each message of a request stream too: the bounds are in the contract."""

from typing import Any

from protovalidate import Validator

from services.common.errors import InvalidArgument, Violation
from services.common.interceptors.chain import (
    INFRASTRUCTURE,
    Behaviour,
    Method,
    StreamContext,
    Unreadable,
    each_received,
)

_validator = Validator()  # compiles a message's rules at its first use and remembers them


def validated(method: Method, proceed: Behaviour) -> Behaviour:
    """A layer: a request that breaks a rule of the contract, or is none, never reaches the handler."""
    check = _readable if method.service in INFRASTRUCTURE else _checked

    async def unary(request: Any, context: Any) -> Any:
        check(request)
        return await proceed(request, context)

    async def streaming(requests: Any, context: Any) -> Any:
        return await proceed(each_received(requests, check), StreamContext(context, received=check))

    return streaming if method.streams_requests else unary


def _readable(message: Any) -> None:
    if isinstance(message, Unreadable):
        raise InvalidArgument("REQUEST_UNREADABLE", "the request's bytes are not a message of the contract")


def _checked(message: Any) -> None:
    _readable(message)
    check(message)


def check(message: Any) -> None:
    """Raises InvalidArgument with one violation for each broken rule."""
    broken = _validator.collect_violations(message)
    if broken:
        violations = [_violation(one.proto) for one in broken]
        fields = ", ".join(sorted({violation.field for violation in violations}))
        raise InvalidArgument(
            "REQUEST_INVALID", "the request is not valid: {fields}", violations=violations, fields=fields
        )


def _violation(broken: Any) -> Violation:
    return Violation(_path(broken.field), broken.message, broken.rule_id)


def _path(field: Any) -> str:
    """`user.email`, `ids[2]`."""
    elements = field.elements if field is not None else ()
    return ".".join(f"{element.field_name}{_subscript(element)}" for element in elements)


def _subscript(element: Any) -> str:
    subscript = element.subscript
    return "" if subscript is None else f"[{subscript.value}]"
