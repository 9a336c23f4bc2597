"""What is kept of the reference with the tests: each document and each resource once, and which case has which.

documents.yaml   all documents of all cases, each under a comment with its mark
resources.json   all resources of istiod's output in normal form, by mark
cases.json       of each case the documents, the mesh settings, the proxies, and the resources of each proxy
"""

import hashlib
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.conformance.cases import Normal, case_documents, istiod, mesh_config, proxies

FOLDER = Path(__file__).parent / "reference"
_MARKED = re.compile(r"^--- # ([0-9a-f]{8})\n", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Case:
    """One case: its YAML, the pods that are looked at, and what istiod made for them."""

    name: str
    text: str
    pods: Mapping[str, str]
    istiod: Normal


def kept() -> dict[str, Case]:
    """The cases as they are kept with the tests, by name."""
    documents = _documents((FOLDER / "documents.yaml").read_text())
    resources = json.loads((FOLDER / "resources.json").read_text())
    return {
        name: Case(
            name,
            "---\n".join([*(documents[mark] for mark in case["documents"]), case["mesh"]]),
            case["pods"],
            {
                proxy: {kind: {one: resources[mark] for one, mark in many.items()} for kind, many in kinds.items()}
                for proxy, kinds in case["istiod"].items()
            },
        )
        for name, case in json.loads((FOLDER / "cases.json").read_text()).items()
    }


def derived(folders: Iterable[Path]) -> dict[str, str]:
    """The contents of the three files, made anew from the reference itself."""
    documents: dict[str, str] = {}
    resources: dict[str, Any] = {}
    cases = {}
    for folder in sorted(folders):
        own = {_mark(one): one for one in case_documents(folder)}
        documents |= own
        made = istiod(folder)
        for kinds in made.values():
            resources |= {_mark(one): one for many in kinds.values() for one in many.values()}
        cases[folder.name] = {
            "documents": list(own),
            "mesh": mesh_config(folder),
            "pods": proxies(folder),
            "istiod": {
                proxy: {kind: {name: _mark(one) for name, one in many.items()} for kind, many in kinds.items()}
                for proxy, kinds in made.items()
            },
        }
    return {
        "documents.yaml": "".join(f"--- # {mark}\n{text}" for mark, text in sorted(documents.items())),
        "resources.json": _lines(resources),
        "cases.json": _lines(cases),
    }


def keep(folders: Iterable[Path]) -> None:
    """Writes the three files."""
    FOLDER.mkdir(exist_ok=True)
    for name, text in derived(folders).items():
        (FOLDER / name).write_text(text)


def _documents(text: str) -> dict[str, str]:
    parts = _MARKED.split(text)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


def _mark(one: Any) -> str:
    text = one if isinstance(one, str) else json.dumps(one, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:8]


def _lines(entries: Mapping[str, Any]) -> str:
    """One line for each entry, so that a change shows as the lines that changed."""
    lines = [f"{json.dumps(key)}: {json.dumps(entries[key], sort_keys=True)}" for key in sorted(entries)]
    return "{\n" + ",\n".join(lines) + "\n}\n"
