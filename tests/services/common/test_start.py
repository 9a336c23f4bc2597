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
