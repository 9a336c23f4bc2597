"""What a plain YAML scalar is to the readers of a cluster, and how durations are written.

kubectl and istiod read YAML by sigs.k8s.io/yaml (go-yaml 2): `y`, `n`, `yes`, `on` … are booleans as in YAML 1.1,
`0400` is octal, `1e3` is a number and `12:30` is text. PyYAML's own tags differ in each of these, so scalars are
resolved here from their text.
"""

import re
from typing import Literal

import yaml

Kind = Literal["null", "bool", "int", "float", "str"]

_TRUE = frozenset({"true", "True", "TRUE", "y", "Y", "yes", "Yes", "YES", "on", "On", "ON"})
_FALSE = frozenset({"false", "False", "FALSE", "n", "N", "no", "No", "NO", "off", "Off", "OFF"})
_NULL = frozenset({"", "~", "null", "Null", "NULL"})
_INT = re.compile(r"[-+]?(0[xX][0-9a-fA-F_]+|0[oO]?[0-7_]+|0[bB][01_]+|[1-9][0-9_]*|0)")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?|[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)")
_SPECIAL_FIRST = frozenset("0123456789+-.~tTfFyYnNoO")


def kind_of(node: yaml.ScalarNode) -> Kind:
    """The JSON type that go-yaml gives this scalar."""
    text: str = node.value
    if node.style:
        return "str"
    if text and text[0] not in _SPECIAL_FIRST:
        return "str"
    if text in _NULL:
        return "null"
    if text in _TRUE or text in _FALSE:
        return "bool"
    if _INT.fullmatch(text):
        return "int"
    return "float" if _FLOAT.fullmatch(text) else "str"


def is_null(node: yaml.Node) -> bool:
    """Whether this is an absent value: `null`, `~` or nothing."""
    return isinstance(node, yaml.ScalarNode) and not node.style and node.value in _NULL


def to_bool(text: str) -> bool:
    """The value of a scalar of kind bool."""
    return text in _TRUE


def to_int(text: str) -> int:
    """The value of a scalar of kind int: decimal, or 0x, 0o, 0b; a leading 0 is octal, as in `mode: 0400`."""
    digits = text.lower().replace("_", "")
    sign = -1 if digits[0] == "-" else 1
    digits = digits.lstrip("+-")
    octal = len(digits) > 1 and digits[0] == "0" and digits[1].isdigit()
    return sign * (int(digits, 8) if octal else int(digits, 0))


def to_float(text: str) -> float:
    """The value of a scalar of kind float or int."""
    if _INT.fullmatch(text):
        return float(to_int(text))
    return float(text.lower().replace(".inf", "inf").replace(".nan", "nan"))


_UNITS = {"ns": 1, "us": 10**3, "µs": 10**3, "μs": 10**3, "ms": 10**6, "s": 10**9, "m": 60 * 10**9, "h": 3600 * 10**9}
_PART = re.compile(r"([0-9]*)(?:\.([0-9]*))?([^0-9.]+)")


def to_seconds(text: str) -> float:
    """A duration as Go's time.ParseDuration reads it. Raises ValueError that says what is wrong with it."""
    rest = text[1:] if text[:1] in {"-", "+"} else text
    if rest == "0":
        return 0.0
    nanoseconds, at = 0, 0
    while match := _PART.match(rest, at):
        whole, fraction, unit = match.groups()
        if not whole and not fraction:
            break
        if unit not in _UNITS:
            raise ValueError(f'"{text}" is not a duration: there is no unit "{unit}"')
        nanoseconds += int(whole or 0) * _UNITS[unit]
        if fraction:
            nanoseconds += int(fraction) * _UNITS[unit] // 10 ** len(fraction)
        at = match.end()
    if at == 0 or at != len(rest):
        raise ValueError(f'"{text}" is not a duration' + (": the unit is missing" if rest[-1:].isdigit() else ""))
    return (-nanoseconds if text[0] == "-" else nanoseconds) / 10**9
