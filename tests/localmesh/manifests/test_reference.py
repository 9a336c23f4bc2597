"""Held against istiod's own verdicts, where the data is at hand (LOCALMESH_REFERENCE, or ../shared/reference).

Only what is loaded is judged here, and what is in patches; what a document compiles to is for tests/conformance.
"""

import json
import os
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from localmesh.errors import Problem, Problems
from localmesh.manifests import load
from localmesh.manifests.istio import EnvoyFilter
from localmesh.resolve import resolve
from localmesh.xds import patching

ROOT = Path(__file__).parents[3]
REFERENCE = Path(os.environ.get("LOCALMESH_REFERENCE", ROOT.parent / "shared" / "reference"))

pytestmark = pytest.mark.skipif(not (REFERENCE / "invalid").is_dir(), reason=f"no reference data at {REFERENCE}")

ON_PURPOSE = {
    "ef-bad-value": "an unknown field is an error, also in what a patch holds",
    "kind-ap-v1alpha3": "an unknown version reaches no istiod: the API server refuses it",
    "kind-unknown": "an unknown kind reaches no istiod: the API server refuses it",
    "kind-unknown-version": "an unknown version reaches no istiod: the API server refuses it",
    "meta-no-name": "no API server takes an object without a name",
    "svc-bad-app-protocol": "istioctl says so of a Service that istiod serves all the same: a warning here",
    "svc-bad-port-name": "istioctl says so of a Service that istiod serves all the same: a warning here",
}
"""Documents on which we differ from istiod, each with its reason."""

NOT_LOADED = {
    "vs-timeout-zero": "its webhook would reject it; the case was fed past the webhook",
}
"""Cases that are refused, with the reason."""


def judge(files: list[Path]) -> tuple[bool, tuple[Problem, ...]]:
    """Whether the files are refused, and the problems or warnings."""
    try:
        documents = load(files)
    except Problems as raised:
        return True, raised.problems
    if documents.of(EnvoyFilter):
        inside = tuple(patching.problems(resolve(documents).mesh.patches))
        if inside:
            return True, inside
    return False, documents.warnings


def verdicts() -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = json.loads((REFERENCE / "invalid" / "expected.json").read_text())
    return found


def test_what_istiod_or_its_schema_rejects_is_refused_and_nothing_else() -> None:
    table: Counter[tuple[str, str]] = Counter()
    differing = {}
    for name, verdict in verdicts().items():
        rejected = "rejected" in {verdict["istioctl_validate"], verdict["crd_schema"]}
        refused, said = judge([REFERENCE / "invalid" / f"{name}.yaml"])
        table["rejected" if rejected else "accepted", "refused" if refused else "taken"] += 1
        if refused != rejected:
            differing[name] = [str(each) for each in said]
    print("\nistiod      localmesh   documents")  # noqa: T201
    for (istiod, ours), count in sorted(table.items()):
        print(f"{istiod:<11} {ours:<11} {count:>9}")  # noqa: T201
    assert set(differing) == set(ON_PURPOSE), differing


def analysed(name: str) -> bool:
    """Whether `istioctl analyze` warns of what one document alone shows (that its validation does not)."""
    said = json.loads((REFERENCE / "analyze-invalid.json").read_text())[name]
    return any(code in each for each in said for code in ("IST0002", "IST0128", "IST0129", "IST0134"))


def test_every_refusal_names_a_line_and_says_something() -> None:
    for name in verdicts():
        refused, said = judge([REFERENCE / "invalid" / f"{name}.yaml"])
        for each in said if refused else ():
            assert each.where.line > 0, each
            assert each.what, each


def test_where_istiod_warns_of_a_document_it_takes_there_is_a_warning_and_nowhere_else() -> None:
    differing = {}
    for name, verdict in verdicts().items():
        refused, said = judge([REFERENCE / "invalid" / f"{name}.yaml"])
        warned = any(document.get("warnings") for document in verdict["documents"]) or analysed(name)
        if not refused and name not in ON_PURPOSE and bool(said) != warned:
            differing[name] = [str(each) for each in said]
    assert not differing


@pytest.mark.parametrize("case", sorted(each.name for each in REFERENCE.glob("cases/*")))
def test_every_case_loads(case: str) -> None:
    if case in NOT_LOADED:
        pytest.skip(NOT_LOADED[case])
    folder = REFERENCE / "cases" / case
    refused, said = judge([file for file in (folder / "case.yaml", folder / "mesh.yaml") if file.exists()])
    assert not refused, said
