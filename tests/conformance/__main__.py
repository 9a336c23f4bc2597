"""`python -m tests.conformance` prints the table; `--keep` first takes over what the reference beside the clone has."""

import sys
from collections import Counter

from tests.conformance.agreement import judged, reasons
from tests.conformance.cases import SHARED
from tests.conformance.reference import keep, kept


def main() -> int:
    """1 if a case fails."""
    if "--keep" in sys.argv[1:]:
        keep(folder for folder in SHARED.iterdir() if folder.is_dir())
    listed = reasons()
    verdicts = [judged(case, listed) for case in kept().values()]
    lines = ["| case | verdict | why |", "|---|---|---|"]
    for verdict in verdicts:
        why = "; ".join(reason.reason for reason in verdict.reasons) or "; ".join(verdict.unexcused[:1])
        lines.append(f"| {verdict.case} | {verdict.word} | {why.replace('|', chr(92) + '|')} |")
    count = Counter(verdict.word for verdict in verdicts)
    words = ("agrees", "on purpose", "not yet", "FAILS")
    lines.append(f"\n{len(verdicts)} cases: " + ", ".join(f"{count[word]} {word}" for word in words))
    sys.stdout.write("\n".join(lines) + "\n")
    return 1 if count["FAILS"] else 0


if __name__ == "__main__":
    sys.exit(main())
