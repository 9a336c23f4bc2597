"""What `kubectl kustomize` makes of our kustomizations: the part of kustomize that they use, and nothing else passes.

Held against kubectl itself where there is one (test_bundle.py), so that the checks need none.
"""

import copy
import hashlib
import json
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import yaml

KNOWN = {"apiVersion", "kind", "resources", "components", "configMapGenerator", "patches", "images"}
Document = dict[str, Any]


class Unknown(Exception):
    """Something in a kustomization that this does not know, or that leads nowhere."""


def built(folder: Path) -> list[Document]:
    """The documents of a kustomization. Raises Unknown."""
    documents = _applied(folder, [])
    _name_generated(documents)
    return documents


def _applied(folder: Path, documents: list[Document]) -> list[Document]:
    """The documents, with this kustomization's own and changed as it says."""
    (said,) = _parsed((folder / "kustomization.yaml").read_text())
    if unknown := set(said) - KNOWN:
        raise Unknown(f"{folder}: {', '.join(sorted(unknown))}")
    for name in said.get("resources", []):
        path = (folder / name).resolve()
        documents += built(path) if path.is_dir() else _parsed(_text(path))
    for generator in said.get("configMapGenerator", []):
        documents.append(_config_map(generator, folder))
    for name in said.get("components", []):
        documents = _applied(folder / name, documents)
    for patch in said.get("patches", []):
        _patch(documents, patch, folder)
    for image in said.get("images", []):
        for container in _containers(documents):
            name, _, _ = container["image"].partition(":")
            if name == image["name"]:
                container["image"] = f"{name}:{image['newTag']}"
    return documents


def _parsed(text: str) -> list[Any]:
    """The documents of a text: each build changes its own copy of them."""
    documents: list[Any] = json.loads(_as_json(text))
    return documents


@cache
def _text(path: Path) -> str:
    """Of a file of the repository; what a test itself writes is a kustomization, and read each time."""
    return path.read_text()


@cache
def _as_json(text: str) -> str:
    """Once for each text: the tests build hundreds of combinations of the same few."""
    return json.dumps([each for each in yaml.safe_load_all(text) if each])


def _config_map(generator: Document, folder: Path) -> Document:
    """A ConfigMap of files, marked as one whose name will end with the hash of what it holds."""
    if set(generator) - {"name", "namespace", "files"}:
        raise Unknown(f"configMapGenerator: {generator}")
    data = {Path(name).name: _text((folder / name).resolve()) for name in generator["files"]}
    metadata = {"name": generator["name"], "namespace": generator["namespace"]}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": data, _GENERATED: True}


_GENERATED = "generated"
# Kustomize writes no digit or vowel that might make a word of the hash.
_UNSPOKEN = str.maketrans("013ae", "ghkmt")


def _name_generated(documents: list[Document]) -> None:
    """The hash behind the names of generated ConfigMaps, here and in the volumes that are of them."""
    names: dict[tuple[str, str], str] = {}
    for document in documents:
        if document.pop(_GENERATED, False):
            metadata = document["metadata"]
            text = json.dumps(
                {"data": document["data"], "kind": "ConfigMap", "name": ""},  # as kustomize, which misses the name
                sort_keys=True,
                separators=(",", ":"),
                ensure_ascii=False,
            )
            for mark in "<>&":  # as Go writes JSON
                text = text.replace(mark, f"\\u{ord(mark):04x}")
            digest = hashlib.sha256(text.encode()).hexdigest()[:10].translate(_UNSPOKEN)
            names[metadata["namespace"], metadata["name"]] = f"{metadata['name']}-{digest}"
            metadata["name"] = f"{metadata['name']}-{digest}"
    for document in documents:
        for volume in document.get("spec", {}).get("template", {}).get("spec", {}).get("volumes", []):
            if config := volume.get("configMap"):
                key = document["metadata"]["namespace"], config["name"]
                config["name"] = names.get(key, config["name"])


def _patch(documents: list[Document], patch: Document, folder: Path) -> None:
    targets = [each for each in documents if _meant(each, patch["target"])]
    if not targets:
        raise Unknown(f"{folder}: a patch for nothing: {patch['target']}")
    (content,) = _parsed(patch["patch"])
    for document in targets:
        if "$patch" in content:
            documents.remove(document)
        elif isinstance(content, list):
            for operation in content:
                _operate(document, copy.deepcopy(operation))
        else:
            _merge(document, {key: value for key, value in content.items() if key == "spec"})


def _meant(document: Document, target: Document) -> bool:
    """Names are regular expressions for the whole of a name."""
    if set(target) - {"group", "kind", "name", "labelSelector"}:
        raise Unknown(f"target: {target}")
    if "group" in target and document["apiVersion"].rpartition("/")[0] != target["group"]:
        return False
    key, _, value = target.get("labelSelector", "=").partition("=")
    metadata = document["metadata"]
    return (
        document["kind"] == target["kind"]
        and re.fullmatch(target.get("name", ".*"), metadata["name"]) is not None
        and (not key or metadata.get("labels", {}).get(key) == value)
    )


def _operate(document: Any, operation: Document) -> None:
    """RFC 6902: add, replace, remove."""
    *way, last = (part.replace("~1", "/").replace("~0", "~") for part in operation["path"].split("/")[1:])
    for part in way:
        document = document[int(part)] if isinstance(document, list) else document[part]
    match operation["op"], document:
        case "add", list() if last == "-":
            document.append(operation["value"])
        case "add", dict():
            document[last] = operation["value"]
        case "replace", dict() if last in document:
            document[last] = operation["value"]
        case "remove", dict() if last in document:
            del document[last]
        case _:
            raise Unknown(f"patch: {json.dumps(operation)}")


def _merge(document: Document, content: Document) -> None:
    """A merge of mappings; lists, which kustomize merges by their keys, are not known here."""
    for key, value in content.items():
        if isinstance(value, list):
            raise Unknown(f"a list in a merge: {key}")
        if isinstance(value, dict):
            _merge(document.setdefault(key, {}), value)
        else:
            document[key] = value


def _containers(documents: list[Document]) -> Iterator[Document]:
    for document in documents:
        template = (
            document.get("spec", {}).get("template", {}) if document["kind"] in {"Deployment", "StatefulSet"} else {}
        )
        yield from template.get("spec", {}).get("containers", [])
