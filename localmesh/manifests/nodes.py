"""Reading YAML nodes: one file's problems, where a node stands, and the entries of a mapping."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import Any

import yaml

from localmesh.errors import Problem, Where
from localmesh.manifests.scalars import is_null, kind_of, to_bool, to_float, to_int

_MERGE = "tag:yaml.org,2002:merge"
_DEEPEST = 100


@dataclass(frozen=True, slots=True)
class Reading:
    """A file that is being read, and what was found wrong with it so far."""

    file: str
    problems: list[Problem] = field(default_factory=list)

    def where(self, node: yaml.Node, path: str) -> Where:
        """The place of a node whose field path is known."""
        mark = node.start_mark
        return Where(self.file, mark.line + 1, mark.column + 1, path)

    def refuse(self, node: yaml.Node, path: str, what: str, hint: str = "", code: str = "") -> None:
        """Note that this node is wrong."""
        self.problems.append(Problem(self.where(node, path), what, hint, code))


def described(node: yaml.Node) -> str:
    """What a node is, for a sentence such as "expected a list, not …"."""
    if isinstance(node, yaml.MappingNode):
        return "a mapping"
    if isinstance(node, yaml.SequenceNode):
        return "a list"
    kind = kind_of(node) if isinstance(node, yaml.ScalarNode) else "str"
    return {
        "null": "nothing",
        "bool": f"the boolean {node.value}",
        "int": f"the number {node.value}",
        "float": f"the number {node.value}",
        "str": f'the text "{shortened(node.value)}"',
    }[kind]


def shortened(text: str) -> str:
    """The beginning of a text, on one line, for a message."""
    line = " ".join(text.split())
    return line if len(line) <= 60 else line[:57] + "..."


def joined(path: str, name: str) -> str:
    """The path of a field."""
    return f"{path}.{name}" if path else name


def nearest(name: str, known: list[str]) -> str:
    """`did you mean …?` for the known name that looks most like `name`, or all of them where there are few."""
    folded = {each.lower().replace("_", ""): each for each in known}
    alike = get_close_matches(name.lower().replace("_", ""), folded, 1, 0.6)
    if alike:
        return f'did you mean "{folded[alike[0]]}"?'
    return f"known here: {', '.join(sorted(known))}" if 0 < len(known) <= 12 else ""


Entry = tuple[str, yaml.ScalarNode, yaml.Node]


def entries(node: yaml.MappingNode, path: str, reading: Reading) -> Iterator[Entry]:
    """Key text, key node and value node of each entry, once per key. A key written twice is refused.

    Merge keys (`<<: *base`) are laid under the mapping's own keys, as YAML has it.
    """
    seen: dict[str, int] = {}
    merged: list[yaml.Node] = []
    for key, value in node.value:
        if key.tag == _MERGE:
            merged.extend(value.value if isinstance(value, yaml.SequenceNode) else [value])
        elif not isinstance(key, yaml.ScalarNode):
            reading.refuse(key, path, f"a key must be text, not {described(key)}")
        elif key.value in seen:
            reading.refuse(
                key, joined(path, key.value), f'"{key.value}" is written twice, first on line {seen[key.value]}'
            )
        else:
            seen[key.value] = key.start_mark.line + 1
            yield key.value, key, value
    for base in merged:
        if not isinstance(base, yaml.MappingNode):
            reading.refuse(base, path, f"<< takes a mapping, not {described(base)}")
            continue
        for entry in entries(base, path, reading):
            if entry[0] not in seen:
                seen[entry[0]] = entry[1].start_mark.line + 1
                yield entry


def plain(node: yaml.Node, path: str, reading: Reading, depth: int = 0) -> Any:
    """A node as plain JSON values, for fields that hold any tree."""
    if depth > _DEEPEST:
        reading.refuse(node, path, "nested too deeply")
        return None
    if isinstance(node, yaml.MappingNode):
        return {
            key: plain(value, joined(path, key), reading, depth + 1) for key, _, value in entries(node, path, reading)
        }
    if isinstance(node, yaml.SequenceNode):
        return [plain(each, f"{path}[{index}]", reading, depth + 1) for index, each in enumerate(node.value)]
    return _scalar(node)


def _scalar(node: yaml.Node) -> Any:
    if not isinstance(node, yaml.ScalarNode) or is_null(node):
        return None
    match kind_of(node):
        case "bool":
            return to_bool(node.value)
        case "int":
            return to_int(node.value)
        case "float":
            return to_float(node.value)
    return node.value
