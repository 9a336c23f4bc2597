"""The `when` of an authorization rule: attributes, and the values they can have."""

from collections.abc import Callable, Iterator

from localmesh.errors import Problem
from localmesh.manifests.istio.security import Condition
from localmesh.manifests.nodes import nearest
from localmesh.manifests.rules.names import wrong_subnet

_KEYED = ("request.headers", "request.auth.claims", "experimental.envoy.filters.")
_PLAIN = frozenset(
    [
        "source.ip",
        "remote.ip",
        "source.namespace",
        "source.principal",
        "source.serviceAccount",
        "request.auth.principal",
        "request.auth.audiences",
        "request.auth.presenter",
        "destination.ip",
        "destination.port",
        "connection.sni",
    ]
)
_REPLACED = {
    "destination.namespace": "the policy's own namespace says it",
    "destination.labels": "the policy's selector says it",
    "destination.name": "it is of an API that is gone",
    "destination.user": "it is of an API that is gone",
}


def wrong_port(text: str) -> str | None:
    """A port, written as text."""
    sound = text.isascii() and text.isdigit() and int(text) <= 65535
    return None if sound else f'"{text}" is not a port number: 0 to 65535'


_CHECKS: dict[str, Callable[[str], str | None]] = {
    "source.ip": wrong_subnet,
    "remote.ip": wrong_subnet,
    "destination.ip": wrong_subnet,
    "destination.port": wrong_port,
}


def condition_problems(condition: Condition) -> Iterator[Problem]:
    """An unknown attribute, a condition without values, and values that the attribute cannot have."""
    if not condition.key:
        yield Problem(condition.at("key"), "the condition's key is empty")
        return
    if wrong := _wrong_key(condition.key):
        yield Problem(condition.at("key"), wrong[0], wrong[1])
    if not condition.values and not condition.not_values:
        yield Problem(condition.where, f"the condition on {condition.key} has no values", "set values or notValues")
    check = _CHECKS.get(condition.key)
    for field, values in (("values", condition.values), ("not_values", condition.not_values)):
        for index, value in enumerate(values):
            wrong_value = "this value is empty: it would match nothing" if not value else check and check(value)
            if wrong_value:
                yield Problem(condition.at(field, index), wrong_value)


def _wrong_key(key: str) -> tuple[str, str] | None:
    """What is wrong with an attribute's name, and what was meant."""
    name, bracket, rest = key.partition("[")
    if key.startswith(_KEYED):
        sound = bracket and rest.endswith("]") and len(rest) > 1
        return None if sound else (f'"{key}" needs a name in brackets', f"such as {name}[x-user]")
    if key in _PLAIN:
        return None
    if name in _REPLACED:
        return f"there is no attribute {name} any more", _REPLACED[name]
    return f'there is no attribute "{key}"', nearest(key, sorted(_PLAIN | {"request.headers", "request.auth.claims"}))
