"""The rules, without a server or a database."""

import pytest

from services.common.errors import InvalidArgument
from services.user import users


@pytest.mark.parametrize(
    ("one", "other"),
    [("Ada@Example.org", "ada@example.ORG"), ("STRASSE", "straße"), ("e\u0301", "\u00c9"), ("\u212b", "å")],
)
def test_case_and_spelling_do_not_count(one: str, other: str) -> None:
    """Two ways to write the same are the same key."""
    assert users.key(one) == users.key(other)
    assert users.key(users.key(one)) == users.key(one)


@pytest.mark.parametrize(
    ("mask", "fields"),
    [
        ((), ("name", "email")),
        (("*",), ("name", "email")),
        (("email",), ("email",)),
        (("email", "name", "email"), ("name", "email")),
    ],
)
def test_a_mask_names_fields(mask: tuple[str, ...], fields: tuple[str, ...]) -> None:
    """Empty and * mean all; twice is once."""
    assert users.changed_fields(mask) == fields


@pytest.mark.parametrize("mask", [("id",), ("name", "create_time"), ("user.name",), ("",), ("name", "*")])
def test_an_unknown_path_is_a_violation(mask: tuple[str, ...]) -> None:
    """Of update_mask, once for each path."""
    with pytest.raises(InvalidArgument) as caught:
        users.changed_fields(mask)
    assert [one.field for one in caught.value.violations] == ["update_mask"]


@pytest.mark.parametrize(
    ("etag", "version"),
    [("", None), ("1", 1), ("x", 0), ("-1", 0), ("²", 0), ("٣", 0), ("9" * 18, 10**18 - 1), ("9" * 30, 0)],
)
def test_a_strange_etag_matches_no_version(etag: str, version: int | None) -> None:
    """It is stale, not an error of another kind, and fits the column's type."""
    assert users.version_of(etag) == version


@pytest.mark.parametrize("text", ["a\0b", "\x1b[31m", "line\nbreak", "\x85"])
def test_control_characters_are_refused(text: str) -> None:
    """A name is shown in terminals."""
    with pytest.raises(InvalidArgument) as caught:
        users.printable("user.name", text)
    assert caught.value.violations[0].field == "user.name"
