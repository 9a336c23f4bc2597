"""Options of the whole suite."""

import signal

import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    """--mesh says what tests/mesh runs on."""
    parser.addoption("--mesh", choices=["local", "kind"], default="local", help="what tests/mesh runs on")


def pytest_configure() -> None:
    """A shell that starts the suite in the background has it ignore Ctrl-C, and its programs too."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
