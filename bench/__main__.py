"""`make bench`: all benches, each a process of its own, and docs/performance.md of what they found."""

import signal
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
    # In a session of its own: Ctrl-C reaches us, and we end it once.
    line = python(f"bench.{name}", "--json")
    process = subprocess.Popen(line, cwd=ROOT, stdout=subprocess.PIPE, text=True, start_new_session=True)
    try:
        said, _ = process.communicate(timeout=LIMIT_SECONDS)
    except subprocess.TimeoutExpired:
        _end(process)
        print(f"{name} takes longer than {LIMIT_SECONDS} s", file=sys.stderr)
        return None
    except BaseException:
        _end(process)
        raise
    print(f"— {name}: {time.monotonic() - begun:.0f} s", flush=True)
    if process.returncode:
        return None
    report = from_json(said.splitlines()[-1])
    print(f"{report}\n", flush=True)
    return report


def _end(process: "subprocess.Popen[str]") -> None:
    """It takes down what it has started, which a SIGKILL would not let it."""
    process.terminate()
    process.communicate()


def main() -> int:
    """1 if a bench failed; the page is written only of all of them."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
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
