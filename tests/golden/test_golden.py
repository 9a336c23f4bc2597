"""The captured configuration is as it was reviewed; `python -m tests.golden.golden` rewrites it."""

from pathlib import Path

import pytest

from tests.golden.golden import cases, outputs


@pytest.mark.parametrize("case", cases(), ids=lambda case: case.name)
def test_a_case_gives_what_was_reviewed(case: Path) -> None:
    made = outputs(case)
    kept = {path.name: path.read_text() for path in case.glob("*.yaml") if path.name != "in.yaml"}
    assert made == kept
