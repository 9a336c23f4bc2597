"""`python -m docs` (`make docs`) writes the generated pages; `--check` says which are stale."""

import sys
from collections.abc import Callable, Mapping
from pathlib import Path

from docs import supported, warnings

HERE = Path(__file__).parent
PAGES: Mapping[str, Callable[[], str]] = {"supported.md": supported.page, "warnings.md": warnings.page}


def main() -> int:
    """1 if `--check` was asked for and a page is stale."""
    stale = [name for name, page in PAGES.items() if _text(HERE / name) != page()]
    if "--check" in sys.argv[1:]:
        sys.stdout.write("".join(f"docs/{name} is stale: make docs\n" for name in stale))
        return 1 if stale else 0
    for name in stale:
        (HERE / name).write_text(PAGES[name]())
        sys.stdout.write(f"docs/{name}\n")
    return 0


def _text(page: Path) -> str:
    return page.read_text() if page.exists() else ""


if __name__ == "__main__":
    sys.exit(main())
