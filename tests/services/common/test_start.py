"""What a service does before it serves: every replica pays for it, all at once when a mesh starts."""

import subprocess
import sys

import pytest


@pytest.mark.parametrize("service", ["user", "chat"])
def test_no_garbage_is_looked_for_while_a_service_loads_but_from_then_on(service: str) -> None:
    code = f"""
import gc, services.{service}.__main__ as program
print(gc.isenabled())
try:
    program.main()
except SystemExit as wrong_environment:
    print(gc.isenabled(), gc.get_freeze_count() > 0, wrong_environment.code)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env={})
    assert done.stdout.split() == ["False", "True", "True", "2"]


@pytest.mark.parametrize("service", ["user", "chat"])
def test_a_service_does_not_load_what_it_does_not_need(service: str) -> None:
    """What is here for the mesh, and what was a part of each start once."""
    absent = ("aiohttp", "click", "rich", "yaml")
    code = f"import sys, services.{service}.server; print(*(name for name in {absent!r} if name in sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == []
