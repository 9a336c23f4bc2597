"""Decoders of single values: each turns a YAML node into a Python value, or refuses it and gives `INVALID`.

A value of the right type that is out of bounds is refused and given all the same, so that the rest of its document can
still be judged in the same run.
"""

import base64
import binascii
from collections.abc import Callable
from types import MappingProxyType
from typing import Any, Final

import yaml

from localmesh.manifests.nodes import Reading, described, entries, nearest, plain, shortened
from localmesh.manifests.record import DurationForm, Place, Range
from localmesh.manifests.scalars import is_null, kind_of, to_bool, to_float, to_int, to_seconds


class _Invalid:
    """The value of what could not be read; why is among the problems."""


INVALID: Final = _Invalid()

Places = dict[str, Place]
Decoder = Callable[[yaml.Node, str, Reading], Any]


def text(node: yaml.Node, path: str, reading: Reading) -> Any:
    """Text. A bare number or boolean is refused, as istiod and the API server do: it wants quotes."""
    if isinstance(node, yaml.ScalarNode):
        kind = kind_of(node)
        if kind == "str":
            return node.value
        hint = f'write "{node.value}" with quotes' if kind != "null" else 'write "" for empty text'
        reading.refuse(node, path, f"expected text, not {described(node)}", hint)
    else:
        reading.refuse(node, path, f"expected text, not {described(node)}")
    return INVALID


def boolean(node: yaml.Node, path: str, reading: Reading) -> Any:
    """true or false."""
    if isinstance(node, yaml.ScalarNode) and kind_of(node) == "bool":
        return to_bool(node.value)
    reading.refuse(node, path, f"expected true or false, not {described(node)}")
    return INVALID


def number(node: yaml.Node, path: str, reading: Reading) -> Any:
    """Any number."""
    if isinstance(node, yaml.ScalarNode) and kind_of(node) in {"int", "float"}:
        return to_float(node.value)
    reading.refuse(node, path, f"expected a number, not {described(node)}")
    return INVALID


def integer(bounds: Range | None) -> Decoder:
    """A whole number within bounds."""
    noun = bounds.noun if bounds else "number"

    def decode(node: yaml.Node, path: str, reading: Reading) -> Any:
        if not isinstance(node, yaml.ScalarNode) or kind_of(node) != "int":
            quoted = isinstance(node, yaml.ScalarNode) and node.value.isdigit()
            reading.refuse(
                node, path, f"expected a {noun}, not {described(node)}", "remove the quotes" if quoted else ""
            )
            return INVALID
        value = to_int(node.value)
        if bounds and not bounds.least <= value <= bounds.most:
            reading.refuse(node, path, f"{value} is not a {noun}: {bounds.least} to {bounds.most}")
        return value

    return decode


def integer_or_text(node: yaml.Node, path: str, reading: Reading) -> Any:
    """Kubernetes' IntOrString, such as a port by number or name."""
    if isinstance(node, yaml.ScalarNode):
        match kind_of(node):
            case "int":
                return to_int(node.value)
            case "str":
                return node.value
    reading.refuse(node, path, f"expected a number or a name, not {described(node)}")
    return INVALID


def quantity(node: yaml.Node, path: str, reading: Reading) -> Any:
    """A Kubernetes quantity, kept as text."""
    if isinstance(node, yaml.ScalarNode) and kind_of(node) in {"int", "float", "str"}:
        return node.value
    reading.refuse(node, path, f"expected a quantity such as 500m or 1Gi, not {described(node)}")
    return INVALID


def duration(form: DurationForm) -> Decoder:
    """A duration in Go's notation, as seconds, within the bounds of its field."""

    def decode(node: yaml.Node, path: str, reading: Reading) -> Any:
        kind = kind_of(node) if isinstance(node, yaml.ScalarNode) else None
        if kind in {"int", "float"}:
            reading.refuse(node, path, f"{node.value} is not a duration: the unit is missing", f"write {node.value}s")
        elif kind == "str":
            try:
                seconds = to_seconds(node.value)
            except ValueError as error:
                reading.refuse(node, path, str(error), "such as 3s, 250ms or 1h30m")
                return INVALID
            if wrong := _out_of_form(form, seconds):
                reading.refuse(node, path, f"{node.value} is too {wrong}")
            return seconds
        else:
            reading.refuse(node, path, f"expected a duration such as 3s, not {described(node)}")
        return INVALID

    return decode


def _out_of_form(form: DurationForm, seconds: float) -> str | None:
    if form.least is not None and seconds < form.least:
        return f"short: {form.least * 1000:g}ms is the least that Istio takes here"
    if form.multiple_of is not None and round(seconds * 10**9) % round(form.multiple_of * 10**9):
        return f"fine: Istio takes multiples of {form.multiple_of * 1000:g}ms here"
    return None


def binary(node: yaml.Node, path: str, reading: Reading) -> Any:
    """Bytes, written in base64. The text itself is never repeated in a message: it may be a key."""
    if isinstance(node, yaml.ScalarNode) and kind_of(node) != "null":
        try:
            return base64.b64decode("".join(node.value.split()), validate=True)
        except (binascii.Error, ValueError):
            reading.refuse(node, path, "this is not base64", "Secrets take plain text under stringData")
            return INVALID
    reading.refuse(node, path, "expected base64 text")
    return INVALID


def one_of(allowed: tuple[str, ...]) -> Decoder:
    """One of a set of words."""

    def decode(node: yaml.Node, path: str, reading: Reading) -> Any:
        if isinstance(node, yaml.ScalarNode) and node.value in allowed and kind_of(node) == "str":
            return node.value
        guess = nearest(node.value, list(allowed)) if isinstance(node, yaml.ScalarNode) else ""
        hint = f"{guess} " if guess.startswith("did") else ""
        reading.refuse(node, path, f"{described(node)} is not allowed here", f"{hint}one of {', '.join(allowed)}")
        return INVALID

    return decode


def tree(node: yaml.Node, path: str, reading: Reading) -> Any:
    """Any JSON object."""
    if isinstance(node, yaml.MappingNode):
        return MappingProxyType(plain(node, path, reading))
    reading.refuse(node, path, f"expected a mapping, not {described(node)}")
    return INVALID


def list_of(item: Decoder) -> Decoder:
    """A list, as a tuple. One thing that is not a list is refused, not wrapped."""

    def decode(node: yaml.Node, path: str, reading: Reading) -> Any:
        if not isinstance(node, yaml.SequenceNode):
            hint = f"write [{shortened(node.value)}]" if isinstance(node, yaml.ScalarNode) else 'begin items with "- "'
            reading.refuse(node, path, f"expected a list, not {described(node)}", hint)
            return INVALID
        values = []
        for index, each in enumerate(node.value):
            if is_null(each):
                reading.refuse(each, f"{path}[{index}]", "this item of the list is empty")
                values.append(INVALID)
            else:
                values.append(item(each, f"{path}[{index}]", reading))
        return INVALID if INVALID in values else tuple(values)

    return decode


def map_of(key_bounds: Range | None, item: Decoder) -> Decoder:
    """A map. Keys are text, or numbers within bounds."""

    def decode(node: yaml.Node, path: str, reading: Reading) -> Any:
        if not isinstance(node, yaml.MappingNode):
            reading.refuse(node, path, f"expected a mapping, not {described(node)}")
            return INVALID
        values: dict[Any, Any] = {}
        for name, key, value in entries(node, path, reading):
            here = f"{path}[{name}]"
            decoded = item(value, here, reading)
            index = integer(key_bounds)(_unquoted(key), here, reading) if key_bounds else name
            if decoded is not INVALID and index is not INVALID:
                values[index] = decoded
        return MappingProxyType(values)

    return decode


def _unquoted(key: yaml.ScalarNode) -> yaml.ScalarNode:
    """JSON's keys are always text, so a quoted number is a number as a key."""
    return yaml.ScalarNode(key.tag, key.value, key.start_mark, key.end_mark, style="")
