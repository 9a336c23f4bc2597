"""No field is ignored in silence: what docs/supported.md calls compiled is read, and what it names exists."""

import ast
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path

import pytest

from docs.supported import COMPILED, REFUSED, listed, rows
from localmesh.manifests.kinds import KINDS, Kind
from localmesh.manifests.record import spelled
from localmesh.resolve import unsupported

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
