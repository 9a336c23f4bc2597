"""What istiod 1.30.3 generates for a case, we compile: in a normal form, except for what differences.yaml names."""

from functools import cache

import pytest

from tests.conformance.agreement import Reason, Verdict, judged, reasons
from tests.conformance.cases import SHARED
from tests.conformance.reference import FOLDER, Case, derived, kept
from tests.conformance.table import KEPT, table

CASES = kept()


@cache
def _verdict(name: str) -> Verdict:
    return judged(CASES[name], reasons())


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_a_case_compiles_as_istiod_compiles_it(case: Case) -> None:
    """Every difference is listed with its reason."""
    assert not _verdict(case.name).unexcused, "\n".join(_verdict(case.name).unexcused[:40])


@pytest.mark.parametrize("reason", reasons(), ids=lambda reason: f"{reason.case}:{reason.path}")
def test_a_listed_difference_is_still_there(reason: Reason) -> None:
    """What no longer differs is taken out of the list."""
    assert any(reason in _verdict(name).reasons for name in CASES)


def test_the_kept_table_is_current() -> None:
    """Stale: `make conformance`."""
    assert KEPT.read_text() == table(_verdict(name) for name in CASES), "docs/conformance.md is stale"


@pytest.mark.skipif(not SHARED.exists(), reason="istiod's own output is not beside this clone")
def test_what_is_kept_is_what_istiod_made() -> None:
    """The kept files are the normal form of the reference, derived anew."""
    for name, text in derived(folder for folder in SHARED.iterdir() if folder.is_dir()).items():
        assert (FOLDER / name).read_text() == text, f"{name}: run python -m tests.conformance --keep"
