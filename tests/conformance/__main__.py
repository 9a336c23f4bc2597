"""`python -m tests.conformance` (`make conformance`) prints the table and keeps it in docs/conformance.md.

`--keep` first takes over what the reference beside the clone has.
"""

import sys

from tests.conformance.agreement import judged, reasons
from tests.conformance.cases import SHARED
from tests.conformance.reference import keep, kept
from tests.conformance.table import KEPT, WORDS, table


def main() -> int:
    """1 if a case fails."""
    if "--keep" in sys.argv[1:]:
        keep(folder for folder in SHARED.iterdir() if folder.is_dir())
    listed = reasons()
    verdicts = [judged(case, listed) for case in kept().values()]
    page = table(verdicts)
    KEPT.write_text(page)
    counted = next(line for line in page.splitlines() if line.endswith(WORDS[-1]))
    sys.stdout.write(f"{page}\n{counted}\n")
    return 1 if any(verdict.word == WORDS[-1] for verdict in verdicts) else 0


if __name__ == "__main__":
    sys.exit(main())
