"""Files and folders -> Documents. Everything that is wrong in any of them is raised at once."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import yaml

from localmesh.errors import Problem, Problems, Where
from localmesh.manifests import rules, unsupported
from localmesh.manifests.decode import read
from localmesh.manifests.documents import Documents, Skipped
from localmesh.manifests.kinds import KINDS, LOCAL_GROUP, LOCAL_KIND, SKIPPED, Kind, split_api_version, why_unknown
from localmesh.manifests.mesh_config import IstioOperator, MeshConfig
from localmesh.manifests.nodes import Reading, described, joined
from localmesh.manifests.raw import RawDocument
from localmesh.manifests.record import Resource
from localmesh.manifests.scalars import is_null

_SUFFIXES = frozenset({".yaml", ".yml", ".json"})
_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


@dataclass(slots=True)
class _Found:
    """What has been read so far."""

    resources: list[Resource] = field(default_factory=list)
    skipped: list[Skipped] = field(default_factory=list)
    mesh_configs: list[MeshConfig] = field(default_factory=list)
    locals: list[RawDocument] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)


def load(paths: Iterable[Path | str]) -> Documents:
    """All documents of these files, and of the YAML and JSON files in these folders and below.

    Each document is checked on its own as istiod would check it. Raises Problems: all that is wrong in all files.
    """
    found = _Found()
    for file in _files(paths, found.problems):
        _load_file(file, found)
    return _finished(found)


def loads(text: str, file: str = "-") -> Documents:
    """As `load`, for the text of one file."""
    found = _Found()
    _load_text(text, file, found)
    return _finished(found)


def _finished(found: _Found) -> Documents:
    problems = [*found.problems, *_duplicates(found.resources), *_more_than_one(found)]
    problems += [each for resource in found.resources for each in rules.problems(resource)]
    if problems:
        raise Problems(problems)
    return Documents(
        resources=tuple(found.resources),
        mesh_config=found.mesh_configs[0] if found.mesh_configs else None,
        local=found.locals[0] if found.locals else None,
        skipped=tuple(found.skipped),
        warnings=tuple(each for resource in found.resources for each in rules.warnings(resource)),
    )


def _files(paths: Iterable[Path | str], problems: list[Problem]) -> Iterator[Path]:
    """The files to read, each once, folders sorted by name; hidden files and folders are left out."""
    seen: set[Path] = set()
    for path in map(Path, paths):
        if path.is_dir():
            below = (each for each in sorted(path.rglob("*")) if each.suffix in _SUFFIXES and each.is_file())
            inside = [each for each in below if not any(part.startswith(".") for part in each.relative_to(path).parts)]
        elif path.exists():
            inside = [path]
        else:
            problems.append(Problem(Where(str(path)), "there is no such file or folder"))
            continue
        for each in inside:
            if each.resolve() not in seen:
                seen.add(each.resolve())
                yield each


def _load_file(file: Path, found: _Found) -> None:
    try:
        text = file.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        found.problems.append(Problem(Where(str(file)), f"cannot be read: {error}"))
        return
    _load_text(text, str(file), found)


def _load_text(text: str, file: str, found: _Found) -> None:
    reading = Reading(file, found.problems)
    try:
        for node in yaml.compose_all(text, _LOADER):
            if node is not None and not is_null(node):
                _load_node(node, "", reading, found)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        where = Where(file, mark.line + 1, mark.column + 1) if mark else Where(file)
        what = f"not YAML: {error.problem or error}"
        found.problems.append(Problem(where, what, _syntax_hint(text, where.line)))
    except yaml.YAMLError as error:
        found.problems.append(Problem(Where(file), f"not YAML: {' '.join(str(error).split())}"))


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
    head = {key.value: value for key, value in node.value if isinstance(key, yaml.ScalarNode)}
    kind, api_version = _text(head.get("kind")), _text(head.get("apiVersion"))
    items = head.get("items")
    if not kind and not api_version:
        _load_bare(node, path, reading, found)
    elif not kind or not api_version:
        missing = "apiVersion" if kind else "kind"
        reading.refuse(node, path, f"{missing} is missing", why_unknown("", kind) if kind else "")
    elif kind.endswith("List") and isinstance(items, yaml.SequenceNode):
        for index, each in enumerate(items.value):
            _load_node(each, joined(path, f"items[{index}]"), reading, found)
    else:
        _load_kind(node, path, split_api_version(api_version), kind, reading, found)


def _text(node: yaml.Node | None) -> str:
    return node.value if isinstance(node, yaml.ScalarNode) else ""


def _load_bare(node: yaml.MappingNode, path: str, reading: Reading, found: _Found) -> None:
    """A document without apiVersion and kind: mesh.yaml holds a MeshConfig so, and nothing else may."""
    if Path(reading.file).stem != "mesh":
        reading.refuse(node, path, "apiVersion and kind are missing", "a bare MeshConfig is read from mesh.yaml only")
        return
    config = read(MeshConfig, node, path, reading)
    if config is not None:
        found.mesh_configs.append(config)


def _load_kind(
    node: yaml.MappingNode, path: str, group_version: tuple[str, str], kind: str, reading: Reading, found: _Found
) -> None:
    group, version = group_version
    known = KINDS.get((group, kind))
    if (group, kind) == (LOCAL_GROUP, LOCAL_KIND):
        found.locals.append(RawDocument(reading.where(node, path), kind, node))
    elif known:
        _load_known(known, node, path, version, reading, found)
    elif (group, kind) in SKIPPED:
        found.skipped.append(Skipped(reading.where(node, path), kind, _name_of(node), SKIPPED[group, kind]))
    elif (group, kind) in unsupported.KINDS:
        what = f"{kind} runs in the cluster, not locally"
        reading.refuse(node, path, what, unsupported.KINDS[group, kind])
    else:
        owner = f"{group}/{version}" if group else version
        reading.refuse(node, path, f'there is no kind "{kind}" in {owner}', why_unknown(group, kind))


def _name_of(node: yaml.MappingNode) -> str:
    for key, value in node.value:
        if key.value == "metadata" and isinstance(value, yaml.MappingNode):
            return next((_text(name) for key, name in value.value if key.value == "name"), "")
    return ""


def _load_known(known: Kind, node: yaml.MappingNode, path: str, version: str, reading: Reading, found: _Found) -> None:
    if version not in known.versions:
        what = f"{known.record.__name__} has no version {version}"
        reading.refuse(node, joined(path, "apiVersion"), what, f"one of {', '.join(known.versions)}")
        return
    resource = read(known.record, node, path, reading)
    if resource is None:
        return
    if isinstance(resource, IstioOperator):
        found.mesh_configs.append(resource.spec.mesh_config)
    elif not resource.metadata.name:
        found.problems.append(Problem(resource.metadata.where, "metadata.name is missing"))
    else:
        found.resources.append(resource)


def _duplicates(resources: Iterable[Resource]) -> Iterator[Problem]:
    """Documents that a cluster would take for one object: the same kind, namespace and name."""
    first: dict[tuple[type[Resource], str, str], Resource] = {}
    namespaced = {kind.record: kind.namespaced for kind in KINDS.values()}
    for each in resources:
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
