"""No field is ignored in silence: what docs/supported.md calls compiled is read, and what it names exists."""

import ast
import re
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path

import pytest

from docs.supported import COMPILED, REFUSED, anchor, listed, page, rows
from localmesh.errors import Problems
from localmesh.manifests import Record, loads
from localmesh.manifests.documents import RawDocument
from localmesh.manifests.kinds import KINDS, Kind
from localmesh.manifests.record import spelled
from localmesh.resolve import unsupported
from localmesh.up.local import WrittenLocalRun

ROOT = Path(__file__).parents[2]
# The stages behind decoding. What `unsupported` says of a field is no use of it.
READERS = ("resolve", "runtime", "up")
# Read by `manifests` itself: it chose the record by them.
CHOSEN_BY = {"apiVersion", "kind"}


def _read_names() -> Iterator[str]:
    """Every attribute that these stages read, and every text, for those that are read by name."""
    for stage in READERS:
        for module in sorted((ROOT / "localmesh" / stage).rglob("*.py")):
            if module.name != "unsupported.py":
                yield from _names(ast.parse(module.read_text()))


def _names(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute):
            yield node.attr
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.value


READ = frozenset(_read_names())


@pytest.mark.parametrize("kind", KINDS.values(), ids=lambda kind: kind.record.__name__)
def test_every_field_that_is_called_compiled_is_read(kind: Kind) -> None:
    """A field that nothing reads belongs into `resolve.unsupported`, with the reason."""
    ignored = []
    for record in listed(kind.record):
        python = {name: field for field, name in spelled(record).items()}
        compiled = (row.field for row in rows(record) if row.state == COMPILED)
        names = (name for name in compiled if name not in CHOSEN_BY and python[name] not in READ)
        refused_values = {each.spelled for each in unsupported.REFUSED if each.record is record and each.values}
        ignored += [f"{record.__name__}.{name}" for name in names if name not in refused_values]
    assert not ignored


def test_a_local_run_is_listed_with_the_names_by_which_it_is_read() -> None:
    """What the runtime makes of it has other names: `stop_signal` is spelled so in the file too."""
    document = "apiVersion: localmesh/v1\nkind: LocalRun\n"
    section = page().partition("\n## LocalRun\n")[2]
    for record in listed(WrittenLocalRun):
        table = section.partition(f'<a id="{anchor(record)}"></a>')[2].partition("<a id=")[0]
        names = re.findall(r"^\| (\w+) \| compiled \|", table, flags=re.MULTILINE)
        raw = loads(document + "".join(f"{name}: \n" for name in names if name not in CHOSEN_BY)).local
        assert names and raw
        assert [name for name in unknown(raw, record) if name in names and name not in CHOSEN_BY] == []


def unknown(document: RawDocument, record: type[Record]) -> list[str]:
    """The fields of a document that this record does not have."""
    try:
        document.decode(record)
    except Problems as problems:
        said = (re.search(r'has no field "(\w+)"', one.what) for one in problems.problems)
        return [found[1] for found in said if found]
    return []


def test_the_tables_name_fields_that_exist() -> None:
    """A table that names a field of yesterday says nothing."""
    for refusal in unsupported.REFUSED:
        assert refusal.field in {each.name for each in fields(refusal.record)}, refusal
    for record, field in unsupported.WITHOUT_EFFECT:
        assert field in {each.name for each in fields(record)}, (record, field)


def test_a_field_is_in_one_table_only() -> None:
    """Refused and without effect exclude each other."""
    twice = {(each.record, each.field) for each in unsupported.REFUSED} & set(unsupported.WITHOUT_EFFECT)
    assert not twice


def test_every_refusal_says_why() -> None:
    """The page gives the reason, and so does `localmesh check`."""
    for kind in KINDS.values():
        for record in listed(kind.record):
            assert all(row.note for row in rows(record) if row.state == REFUSED)
