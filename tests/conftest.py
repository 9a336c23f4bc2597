"""Options of the whole suite."""

import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    """--mesh says what tests/mesh runs on."""
    parser.addoption("--mesh", choices=["local", "kind"], default="local", help="what tests/mesh runs on")
