"""A page that is made of the code agrees with it."""

import pytest

from docs.__main__ import HERE, PAGES


@pytest.mark.parametrize("name", PAGES)
def test_a_generated_page_is_current(name: str) -> None:
    """Stale: `make docs`."""
    assert (HERE / name).read_text() == PAGES[name](), f"docs/{name} is stale: make docs"
