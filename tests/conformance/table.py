"""The agreement as a table: docs/conformance.md."""

from collections import Counter
from collections.abc import Iterable
from pathlib import Path

from tests.conformance.agreement import Verdict

KEPT = Path(__file__).parents[2] / "docs" / "conformance.md"
WORDS = ("agrees", "on purpose", "not yet", "FAILS")
_HEAD = """# Agreement with istiod

Made by `make conformance`: each case of YAML as istiod 1.30.3 compiles it and as localmesh does, in a normal form that
leaves out names and metadata only (`tests/conformance`). Where we differ, its differences.yaml says why.
"""


def table(verdicts: Iterable[Verdict]) -> str:
    """The whole page: how many agree, then each case."""
    found = tuple(verdicts)
    count = Counter(verdict.word for verdict in found)
    lines = [f"{len(found)} cases: " + ", ".join(f"{count[word]} {word}" for word in WORDS), ""]
    lines += ["| case | verdict | why |", "|---|---|---|"]
    for verdict in found:
        why = "; ".join(reason.reason for reason in verdict.reasons) or "; ".join(verdict.unexcused[:1])
        lines.append(f"| {verdict.case} | {verdict.word} | {why.replace('|', chr(92) + '|')} |")
    return "\n".join([_HEAD, *lines]) + "\n"
