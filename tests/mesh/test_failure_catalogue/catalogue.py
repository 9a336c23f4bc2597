"""The entries of docs/failures.md, as the tests of it read them."""

import re
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.mesh.logs import Line

PAGE = Path(__file__).resolve().parents[3] / "docs" / "failures.md"
_TERMINATION = "connection_termination_details"
_ENTRY = re.compile(
    r"(?m)^### (?P<title>(?:`[^`]+` ?)+)\n\nSeen by the caller as (?P<seen>.+); logged by (?P<where>.+)\.\n\n"
    r"(?:\S.*\n)+\nWhat to do: \S"
)


@dataclass(frozen=True, slots=True)
class Entry:
    """One way to fail. `fields` are what the log line has, in the order of the title; "" for an empty one."""

    title: str
    fields: tuple[str, ...]
    seen: str  # the status, or in words where there is none
    where: str  # who logs it

    def is_told_by(self, line: Line) -> bool:
        """Whether this line of a proxy says so: as many of its fields as the title has, in this order."""
        values = (line.get(name) for name in ("response_flags", "response_code_details", _TERMINATION))
        told = ("" if value in (None, "-") else str(value) for value in values)
        return line.get("event") == "proxied" and all(
            _as_pattern(field).fullmatch(value) for field, value in zip(self.fields, told, strict=False)
        )


def _as_pattern(field: str) -> re.Pattern[str]:
    return re.compile(".*".join(map(re.escape, field.split("…"))))


def entries() -> dict[str, Entry]:
    """All entries by title."""
    text = PAGE.read_text()
    found = {}
    for each in _ENTRY.finditer(text):
        title = each["title"].replace("`", "")
        fields = tuple("" if one == "-" else one for one in re.findall(r"`([^`]+)`", each["title"]))
        found[title] = Entry(title, fields, each["seen"].strip("`"), each["where"])
    assert len(found) == text.count("\n### "), "an entry of another form, or twice the same"
    return found


ENTRIES = entries()


def shows(*titles: str) -> pytest.MarkDecorator:
    """The test makes these entries happen, one at a time; it gets it as `entry`."""
    return pytest.mark.parametrize("entry", titles, indirect=True)


OUTSIDE = pytest.mark.local("what lives outside is a server of the tests' own process, which no pod reaches")
