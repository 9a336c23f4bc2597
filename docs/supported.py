"""docs/supported.md: every field of every kind that is read, and what becomes of it."""

from collections.abc import Iterator
from dataclasses import dataclass, fields

from localmesh.manifests import unsupported
from localmesh.manifests.kinds import KINDS, SKIPPED
from localmesh.manifests.record import Record, Resource, inner_records, spelled
from localmesh.resolve.unsupported import WITHOUT_EFFECT, refusal_of
from localmesh.up.local import WrittenLocalRun

COMPILED, REFUSED, NOTHING = "compiled", "refused", "no local meaning"
_OWN = frozenset({"where", "places"})
_HEAD = """# What localmesh supports

Made from the code by `make docs`: the records that YAML is decoded into, and the tables that resolve refuses by.

- **compiled**: it means here what it means in a cluster. (Of objects: its fields are listed under the object's name.)
- **refused**: it runs in a cluster and not here, so `localmesh check` and `up` say so (LM002) and change nothing.
- **no local meaning**: it is accepted and changes nothing on one machine.

A field that is in none of these lists does not exist, and is refused as unknown (LM001).
"""


@dataclass(frozen=True, slots=True)
class Row:
    """One field as it is written in YAML. `inner` is the record that it holds, where that is listed too."""

    field: str
    state: str
    note: str = ""
    inner: type[Record] | None = None


def rows(record: type) -> Iterator[Row]:
    """The fields of a record: what is decoded in the order of its class, then what is not."""
    names = spelled(record)
    inner = inner_records(record)
    for each in fields(record):
        if each.name in _OWN:
            continue
        yield _decoded(record, each.name, names[each.name], inner.get(each.name))
    for name, reason in sorted(unsupported.fields_of(record.__name__).items()):
        yield Row(name, REFUSED, reason)
    for name in sorted(getattr(record, "NO_LOCAL_MEANING", ())):
        yield Row(name, NOTHING)


def _decoded(record: type, field: str, name: str, inner: type[Record] | None) -> Row:
    refusal = refusal_of(record, field)
    without_effect = WITHOUT_EFFECT.get((record, field))
    if without_effect:
        return Row(name, NOTHING, without_effect)
    if refusal is None:
        return Row(name, COMPILED, inner=inner)
    if refusal.values:
        return Row(name, COMPILED, f"{', '.join(sorted(refusal.values))} is refused: {refusal.why}", inner)
    return Row(name, REFUSED, refusal.why)


def listed(kind: type[Record]) -> list[type]:
    """The record of a kind and those within it, each once, from the outside in."""
    found: list[type] = [kind]
    for record in found:
        found += [row.inner for row in rows(record) if row.inner is not None and row.inner not in found]
    return found


def page() -> str:
    """The whole page."""
    parts = [_HEAD, _kinds()]
    done: set[type] = set()
    for (group, name), kind in KINDS.items():
        parts.append(f"## {name} ({group or 'core'})\n\n`{_api(group, kind.versions)}`\n")
        for record in listed(kind.record):
            if record not in done:
                done.add(record)
                parts.append(_section(record, tuple(rows(record))))
    parts.append("## LocalRun\n\n`localmesh/v1`: what this machine needs to know and a cluster does not.\n")
    parts += [_section(record, tuple(rows(record))) for record in listed(WrittenLocalRun)]
    return "\n".join(parts)


def _api(group: str, versions: tuple[str, ...]) -> str:
    return " · ".join(f"{group}/{version}" if group else version for version in versions)


def _kinds() -> str:
    lines = ["## Kinds\n", "| kind | | |", "|---|---|---|"]
    lines += [
        f"| {name} ({group or 'core'}) | {COMPILED} | [fields](#{anchor(kind.record)}) |"
        for (group, name), kind in KINDS.items()
    ]
    lines.append(f"| LocalRun (localmesh) | {COMPILED} | [fields](#{anchor(WrittenLocalRun)}) |")
    for state, table in ((REFUSED, unsupported.KINDS), (NOTHING, SKIPPED)):
        lines += [f"| {name} ({group or 'core'}) | {state} | {reason} |" for (group, name), reason in table.items()]
    return "\n".join(lines) + "\n"


def _section(record: type, found: tuple[Row, ...]) -> str:
    title = _title(record)
    heading = "" if issubclass(record, Resource) or record is WrittenLocalRun else f"### {title}\n\n"
    heading = f'<a id="{anchor(record)}"></a>\n\n{heading}'
    about = " ".join((record.__doc__ or "").split("\n\n", maxsplit=1)[0].split())
    lines = [f"{heading}{about}\n", "| field | | |", "|---|---|---|"]
    for row in found:
        inner = f"[{_title(row.inner)}](#{anchor(row.inner)})" if row.inner else ""
        note = " — ".join(each for each in (inner, row.note.replace("|", "\\|")) if each)
        lines.append(f"| {row.field} | {row.state} | {note} |")
    return "\n".join(lines) + "\n"


def _title(record: type) -> str:
    """As a person calls it: the records of a LocalRun are told from what is made of them by `Written`."""
    return record.__name__.removeprefix("Written")


def anchor(record: type) -> str:
    """Two APIs have classes of one name: the module tells them apart."""
    return f"{record.__module__.removeprefix('localmesh.manifests.')}.{record.__name__}".lower()
