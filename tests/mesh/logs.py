"""The lines that pods write, as values. A log also holds lines that are no JSON: Envoy's own, a traceback."""

import json
from collections.abc import Iterator
from typing import Any

Line = dict[str, Any]


def lines(text: str) -> Iterator[Line]:
    """The JSON objects in what `Mesh.logs` gives, which may name the program before each line."""
    for line in text.splitlines():
        begin = line.find("{")
        if begin >= 0:
            try:
                found = json.loads(line[begin:])
            except ValueError:
                continue
            if isinstance(found, dict):
                yield found


def proxied(text: str, method: str) -> list[Line]:
    """The access log's lines of calls whose path contains `method`."""
    return [line for line in lines(text) if line.get("event") == "proxied" and method in (line["method"] or "")]
