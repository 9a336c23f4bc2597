"""Prometheus' text format: read by lines, given labels, and put together so that every family stands once.

https://prometheus.io/docs/instrumenting/exposition_formats. Samples stay text: of the thousands of a mesh no value is
looked at, and to parse them with prometheus_client takes several times as long.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

# What a sample's name has after its family's.
_SUFFIXES = {"histogram": ("_bucket", "_sum", "_count"), "summary": ("_sum", "_count"), "counter": ("_total",)}
_LABEL = re.compile(r'([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\]|\\.)*)"')


@dataclass(slots=True)
class Family:
    """One metric: its samples are lines."""

    name: str
    kind: str = "untyped"
    help: str = ""
    samples: list[str] = field(default_factory=list)


def families(text: str) -> list[Family]:
    """The families of a page, in its order. Comments other than TYPE and HELP are left out; time stamps stay."""
    found: dict[str, Family] = {}
    current = Family("")
    for line in text.splitlines():
        if not line or line.isspace():
            continue
        if line.startswith("#"):
            words = line.split(maxsplit=3)
            if len(words) >= 3 and words[1] in {"TYPE", "HELP"}:
                current = found.setdefault(words[2], Family(words[2]))
                said = words[3] if len(words) > 3 else ""
                if words[1] == "TYPE":
                    current.kind = said
                else:
                    current.help = said
            continue
        name = line[: _name_ends(line)]
        if not _belongs(name, current):
            current = found.setdefault(name, Family(name))
        current.samples.append(line)
    return list(found.values())


def labelled(found: Iterable[Family], labels: Mapping[str, str]) -> list[Family]:
    """The same families with these labels at every sample; a label of that name there becomes `exported_<name>`."""
    said = text_of(labels)
    marks = tuple(f'{name}="' for name in labels)
    return [
        Family(each.name, each.kind, each.help, [_labelled(line, said, marks) for line in each.samples])
        for each in found
    ]


def merged(found: Iterable[Family]) -> str:
    """One page in which every family stands once. Families of one name and different kinds become untyped."""
    together: dict[str, Family] = {}
    for each in found:
        if not each.samples:
            continue
        known = together.setdefault(each.name, Family(each.name, each.kind, each.help))
        if known.kind != each.kind:
            known.kind = "untyped"
        known.help = known.help or each.help
        known.samples += each.samples
    return "".join(map(_page, together.values()))


def sample(name: str, labels: Mapping[str, str], value: float) -> str:
    """One line."""
    return f"{name}{{{text_of(labels)}}} {value:.15g}" if labels else f"{name} {value:.15g}"


def text_of(labels: Mapping[str, str]) -> str:
    """`a="b",c="d"`, with what must be escaped."""
    return ",".join(f'{name}="{_escaped(value)}"' for name, value in labels.items())


def _page(family: Family) -> str:
    said = f"# HELP {family.name} {family.help}\n" if family.help else ""
    return f"{said}# TYPE {family.name} {family.kind}\n" + "\n".join(family.samples) + "\n"


def _belongs(name: str, family: Family) -> bool:
    if name == family.name:
        return True
    return any(name == family.name + suffix for suffix in _SUFFIXES.get(family.kind, ()))


def _name_ends(line: str) -> int:
    brace, space = line.find("{"), line.find(" ")
    return min(end for end in (brace, space, len(line)) if end >= 0)


def _labelled(line: str, labels: str, marks: tuple[str, ...]) -> str:
    end = _name_ends(line)
    if line[end : end + 1] != "{":
        return f"{line[:end]}{{{labels}}}{line[end:]}"
    rest = line[end + 1 :]
    if any(mark in rest for mark in marks):
        rest = _LABEL.sub(lambda found: f"exported_{found[0]}" if f'{found[1]}="' in marks else found[0], rest)
    comma = "" if rest.startswith("}") else ","
    return f"{line[:end]}{{{labels}{comma}{rest}"


def _escaped(value: str) -> str:
    return value.replace("\\", r"\\").replace("\n", r"\n").replace('"', r"\"")
