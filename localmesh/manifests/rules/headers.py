"""Header names and values that a route may match, set, add and remove."""

import re
from collections.abc import Iterator

from localmesh.errors import Problem
from localmesh.manifests.istio.virtual_service import HeaderOperations, Headers

_NAME = re.compile(r"[-_A-Za-z0-9]+|:(authority|method|path|scheme)")
_CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")
_FORMAT = re.compile(r"(?:[^%]|%%|%[A-Za-z_][A-Za-z0-9_]*(?:\((?:[^()\"]|\"[^\"]*\")*\))?(?::\d+)?%)*")
_CLAIM = re.compile(r"@request\.auth\.claims(\..+|\[.+\])")


def wrong_name(name: str) -> str | None:
    """The name of a header to match: an ordinary one, or one of HTTP/2's own."""
    if not name:
        return "the header's name is empty"
    return None if _NAME.fullmatch(name) else f'"{name}" is not a header name'


def is_claim(name: str) -> bool:
    """Whether this "header" is a JWT claim, `@request.auth.claims.group`: a gateway can route by it."""
    return _CLAIM.fullmatch(name) is not None


def is_authority(name: str) -> bool:
    """Whether setting this header changes the authority."""
    return name.lower() in {":authority", "host"}


def wrong_value(value: str) -> str | None:
    """A value as Envoy formats it: `%VAR%` or `%VAR(args)%` is substituted, a percent sign is written `%%`."""
    if _CONTROL.search(value):
        return "the header's value has control characters"
    if not _FORMAT.fullmatch(value):
        return f'"{value}" does not end a %variable% that it begins (write %% for a percent sign)'
    return None


def problems(headers: Headers | None) -> Iterator[Problem]:
    """What cannot be done to headers. Only a request's authority may be changed; no other `:header`, and not Host."""
    if headers is None:
        return
    if headers.request:
        yield from _operations(headers.request, authority=True)
    if headers.response:
        yield from _operations(headers.response, authority=False)


def _operations(operations: HeaderOperations, *, authority: bool) -> Iterator[Problem]:
    for field, values in (("set", operations.set), ("add", operations.add)):
        for name, value in values.items():
            wrong = _wrong_target(name, authority=authority) or wrong_value(value)
            if wrong:
                yield Problem(operations.at(field, name), wrong)
    for index, name in enumerate(operations.remove):
        if wrong := _wrong_target(name, authority=False):
            yield Problem(operations.at("remove", index), wrong)


def _wrong_target(name: str, *, authority: bool) -> str | None:
    if not name:
        return "the header's name is empty"
    if authority and is_authority(name):
        return None
    if name.startswith(":") or name.lower() == "host":
        return f'"{name}" cannot be changed here: it is not an ordinary header'
    return None
