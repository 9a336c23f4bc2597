"""The page and its tests are about the same."""

from tests.mesh.test_failure_catalogue import (
    test_not_allowed,
    test_not_reached,
    test_of_the_service,
    test_on_purpose,
    test_too_long,
    test_too_much,
)
from tests.mesh.test_failure_catalogue.catalogue import ENTRIES

MODULES = (test_not_reached, test_too_long, test_too_much, test_not_allowed, test_on_purpose, test_of_the_service)


def test_every_entry_of_the_page_has_its_test_and_every_test_its_entry() -> None:
    tests = [each for module in MODULES for each in vars(module).values()]
    marks = [mark for test in tests for mark in getattr(test, "pytestmark", ())]
    tested = {title for mark in marks if mark.args[:1] == ("entry",) for title in mark.args[1]}
    assert tested == set(ENTRIES)
