"""`make bench`: all benches, each a process of its own, and docs/performance.md of what they found."""

import subprocess
import sys
import time

from bench import page
from bench.processes import ROOT, python
from bench.report import Report, from_json

# `python -m bench.<name>`, in the order of the page. The last is memory.
BENCHES = (
    *("startup", "policy_edit", "compile", "mesh_cost", "get", "send", "fanout"),
    *("list", "upload", "observe", "profile", "footprint"),
)
LIMIT_SECONDS = 600


def run(name: str) -> Report | None:
    """The report of one bench; None if it failed, which it has then said on stderr."""
    begun = time.monotonic()
    done = subprocess.run(
        python(f"bench.{name}", "--json"),
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
        timeout=LIMIT_SECONDS,
        check=False,
    )
    print(f"— {name}: {time.monotonic() - begun:.0f} s", flush=True)
    if done.returncode:
        return None
    report = from_json(done.stdout.splitlines()[-1])
    print(f"{report}\n", flush=True)
    return report


def main() -> int:
    """1 if a bench failed; the page is written only of all of them."""
    reports = {name: run(name) for name in BENCHES}
    made = [report for report in reports.values() if report is not None]
    if len(made) < len(reports):
        failed = ", ".join(name for name, report in reports.items() if report is None)
        print(f"failed: {failed}; {page.PAGE.relative_to(ROOT)} stays as it was", file=sys.stderr)
        return 1
    page.save(made)
    print(f"written: {page.PAGE.relative_to(ROOT)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
