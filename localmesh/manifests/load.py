"""Files and folders -> Documents. Everything that is wrong in any of them is raised at once.

A file is read document by document, so that of a saved file only those are read again that have changed or moved.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, fields
from functools import partial
from pathlib import Path

import yaml

from localmesh.codes import NOT_HERE
from localmesh.errors import Problem, Problems, Where
from localmesh.manifests import rules, unsupported
from localmesh.manifests.decode import read
from localmesh.manifests.documents import Documents, Skipped
from localmesh.manifests.files import files
from localmesh.manifests.kinds import KINDS, LOCAL_GROUP, LOCAL_KIND, SKIPPED, Kind, split_api_version, why_unknown
from localmesh.manifests.mesh_config import IstioOperator, MeshConfig
from localmesh.manifests.nodes import Reading, described, joined
from localmesh.manifests.raw import YamlDocument
from localmesh.manifests.record import Resource
from localmesh.manifests.scalars import is_null
from localmesh.memo import Memo

_DEEPEST = 500  # levels of lists and mappings; what the API means has a tenth of it
_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
# Where a document begins, whatever stands around it.
_BEGINNING = re.compile(r"^---(?=[ \t\n]|\Z)", re.MULTILINE)
# Directives, ends of documents and the rarer line breaks: such a file is read in one go.
_UNUSUAL = ("\n%", "\n.", "\r", "\x85", "\u2028", "\u2029")


@dataclass(slots=True)
class _Found:
    """What has been read so far. `checks` and `warnings` are of documents on their own."""

    resources: list[Resource] = field(default_factory=list)
    skipped: list[Skipped] = field(default_factory=list)
    mesh_configs: list[MeshConfig] = field(default_factory=list)
    locals: list[YamlDocument] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    checks: list[Problem] = field(default_factory=list)
    warnings: list[Problem] = field(default_factory=list)


_LISTS = tuple(each.name for each in fields(_Found))


@dataclass(frozen=True, slots=True)
class _Document:
    """A document before it is decoded: what it says it is."""

    node: yaml.MappingNode
    path: str
    api_version: str
    kind: str
    name: str


def load(paths: Iterable[Path | str], memo: Memo | None = None) -> Documents:
    """All documents of these files, and of the YAML and JSON files in these folders and below.

    Each document is checked on its own as istiod would check it. Raises Problems: all that is wrong in all files.
    With a memo a document whose text and place are the same is not read again: it is the same record.
    """
    found = _Found()
    kept = memo or Memo()
    for file in files(paths, found.problems):
        text = _text_of(file, found.problems)
        if text is not None:
            _add(found, _of_file(text, str(file), kept))
    return _finished(found)


def loads(text: str, file: str = "-") -> Documents:
    """As `load`, for the text of one file."""
    return _finished(_of_file(text, file, Memo()))


def _of_file(text: str, file: str, memo: Memo) -> _Found:
    """All that one file holds."""
    parts = memo.made(("parts of", file), Memo)
    return memo.made(("file", file), partial(_of_parts, parts), text, file)


def _of_parts(memo: Memo, text: str, file: str) -> _Found:
    memo.next_round()
    found = _Found()
    try:
        for part in _documents(text):
            _add(found, memo.made(part, _of_text, part, file))
    except yaml.YAMLError:
        return _of_broken(text, file)
    return found


def _documents(text: str) -> Iterator[str]:
    """The text of each document, after as many empty lines as there are lines before it."""
    unusual = any(each in f"\n{text}" for each in _UNUSUAL)
    begins = [] if unusual else [match.start() for match in _BEGINNING.finditer(text)]
    lines = 0
    for begin, end in zip([0, *begins], [*begins, len(text)], strict=True):
        yield "\n" * lines + text[begin:end]
        lines += text.count("\n", begin, end)


def _of_text(text: str, file: str) -> _Found:
    """All that some text of a file holds. Raises YAMLError if that is no YAML."""
    found = _Found()
    _load_text(text, file, found)
    return _judged(found)


def _of_broken(text: str, file: str) -> _Found:
    """What a file holds before the place where it stops to be YAML, and that place."""
    found = _Found()
    try:
        _load_text(text, file, found)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        where = Where(file, mark.line + 1, mark.column + 1) if mark else Where(file)
        what = f"not YAML: {error.problem or error}"
        found.problems.append(Problem(where, what, _syntax_hint(text, where.line)))
    except yaml.YAMLError as error:
        found.problems.append(Problem(Where(file), f"not YAML: {' '.join(str(error).split())}"))
    return _judged(found)


def _judged(found: _Found) -> _Found:
    """With what is to be said of each of its resources alone."""
    for resource in found.resources:
        found.checks += rules.problems(resource)
        found.warnings += rules.warnings(resource)
    return found


def _add(found: _Found, more: _Found) -> None:
    for name in _LISTS:
        getattr(found, name).extend(getattr(more, name))


def _finished(found: _Found) -> Documents:
    problems = [*found.problems, *_duplicates(found.resources), *_more_than_one(found), *found.checks]
    if problems:
        raise Problems(problems)
    return Documents(
        resources=tuple(found.resources),
        mesh_config=found.mesh_configs[0] if found.mesh_configs else None,
        local=found.locals[0] if found.locals else None,
        skipped=tuple(found.skipped),
        warnings=tuple(found.warnings),
    )


def _text_of(file: Path, problems: list[Problem]) -> str | None:
    try:
        return file.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        problems.append(Problem(Where(str(file)), f"cannot be read: {error}"))
        return None


def _load_text(text: str, file: str, found: _Found) -> None:
    reading = Reading(file, found.problems)
    if too_deep := _too_deep(text):
        found.problems.append(Problem(Where(file, too_deep), "not YAML that anybody means: nested too deeply"))
        return
    for node in yaml.compose_all(text, _LOADER):
        if node is not None and not is_null(node):
            _load_node(node, "", reading, found)


def _too_deep(text: str) -> int:
    """The line where nesting goes past `_DEEPEST`, 0 if it never does: the parser would overflow its stack."""
    if sum(map(text.count, ("[", "{", "- ", "? "))) < _DEEPEST:
        return 0  # what nests by indentation alone is a file of megabytes before it is too deep
    depth = 0
    for event in yaml.parse(text, _LOADER):
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        if depth > _DEEPEST:
            return event.start_mark.line + 1 if event.start_mark else 1
    return 0


def _syntax_hint(text: str, line: int) -> str:
    lines = text.splitlines()
    if 0 < line <= len(lines) and lines[line - 1].lstrip(" ").startswith("\t"):
        return "indent with spaces, not tabs"
    return ""


def _load_node(node: yaml.Node, path: str, reading: Reading, found: _Found) -> None:
    """One document, or the items of a List as `kubectl get -o yaml` prints it."""
    if not isinstance(node, yaml.MappingNode):
        reading.refuse(node, path, f"a document must be a mapping, not {described(node)}")
        return
    document = _document(node, path)
    items = next((value for key, value in node.value if key.value == "items"), None)
    if not document.kind and not document.api_version:
        _load_bare(document, reading, found)
    elif not document.kind or not document.api_version:
        missing = "apiVersion" if document.kind else "kind"
        hint = why_unknown("", document.kind) if document.kind else ""
        reading.refuse(node, path, f"{missing} is missing", hint)
    elif document.kind.endswith("List") and isinstance(items, yaml.SequenceNode):
        for index, each in enumerate(items.value):
            _load_node(each, joined(path, f"items[{index}]"), reading, found)
    else:
        _load_kind(document, reading, found)


def _document(node: yaml.MappingNode, path: str) -> _Document:
    head = {key.value: value for key, value in node.value if isinstance(key, yaml.ScalarNode)}
    metadata = head.get("metadata")
    inner = metadata.value if isinstance(metadata, yaml.MappingNode) else []
    name = next((_text(value) for key, value in inner if key.value == "name"), "")
    return _Document(node, path, _text(head.get("apiVersion")), _text(head.get("kind")), name)


def _text(node: yaml.Node | None) -> str:
    return node.value if isinstance(node, yaml.ScalarNode) else ""


def _load_bare(document: _Document, reading: Reading, found: _Found) -> None:
    """A document without apiVersion and kind: mesh.yaml holds a MeshConfig so, and nothing else may."""
    if Path(reading.file).stem != "mesh":
        hint = "a bare MeshConfig is read from mesh.yaml only"
        reading.refuse(document.node, document.path, "apiVersion and kind are missing", hint)
        return
    config = read(MeshConfig, document.node, document.path, reading)
    if config is not None:
        found.mesh_configs.append(config)


def _load_kind(document: _Document, reading: Reading, found: _Found) -> None:
    node, path, kind = document.node, document.path, document.kind
    group, version = split_api_version(document.api_version)
    if (group, kind) == (LOCAL_GROUP, LOCAL_KIND):
        found.locals.append(YamlDocument(reading.where(node, path), kind, node))
    elif (group, kind) in KINDS:
        known = KINDS[group, kind]
        if version in known.versions:
            _load_known(known, document, reading, found)
        else:
            what = f"{kind} has no version {version}"
            reading.refuse(node, joined(path, "apiVersion"), what, f"one of {', '.join(known.versions)}")
    elif (group, kind) in SKIPPED:
        found.skipped.append(Skipped(reading.where(node, path), kind, document.name, SKIPPED[group, kind]))
    elif (group, kind) in unsupported.KINDS:
        what = f"{kind} runs in the cluster, not locally"
        reading.refuse(node, path, what, unsupported.KINDS[group, kind], NOT_HERE.code)
    else:
        what = f'there is no kind "{kind}" in {document.api_version}'
        reading.refuse(node, path, what, why_unknown(group, kind))


def _load_known(known: Kind, document: _Document, reading: Reading, found: _Found) -> None:
    resource = read(known.record, document.node, document.path, reading)
    if resource is None:
        return
    if isinstance(resource, IstioOperator):
        found.mesh_configs.append(resource.spec.mesh_config)
    else:
        found.resources.append(resource)


def _duplicates(resources: Iterable[Resource]) -> Iterator[Problem]:
    """Documents that a cluster would take for one object: the same kind, namespace and name."""
    first: dict[tuple[type[Resource], str, str], Resource] = {}
    namespaced = {kind.record: kind.namespaced for kind in KINDS.values()}
    for each in resources:
        if not each.name:
            continue
        namespace = each.namespace if namespaced[type(each)] else ""
        earlier = first.setdefault((type(each), namespace, each.name), each)
        if earlier is not each:
            name = f"{type(each).__name__} {namespace}/{each.name}" if namespace else f"{each.kind} {each.name}"
            yield Problem(each.where, f"{name} is written twice", f"first at {earlier.where}")


def _more_than_one(found: _Found) -> Iterator[Problem]:
    """What a run has one of at most: a mesh configuration, and a LocalRun."""
    for what, places in (
        ("mesh configuration", [each.where for each in found.mesh_configs]),
        (LOCAL_KIND, [each.where for each in found.locals]),
    ):
        for place in places[1:]:
            yield Problem(place, f"a second {what}", f"the first is at {places[0]}")
