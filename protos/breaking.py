"""Says whether the contract still serves the clients of the last release: `buf breaking` against its tag.

python -m protos.breaking            # against the last tag v*
python -m protos.breaking REVISION   # against any other
"""

import io
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

from protos.generate import ROOT, image


def last_release() -> str:
    """The last tag `v*` before this commit, or nothing."""
    command = ["git", "describe", "--tags", "--abbrev=0", "--match", "v*"]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False).stdout.strip()


def breaks(revision: str) -> bool:
    """Whether the contract breaks that of a revision. What breaks is printed by buf."""
    archive = subprocess.run(["git", "archive", revision, "protos"], cwd=ROOT, capture_output=True, check=True).stdout
    with tempfile.TemporaryDirectory() as folder:
        with tarfile.open(fileobj=io.BytesIO(archive)) as files:
            files.extractall(folder, filter="data")
        before, now = Path(folder) / "before.binpb", Path(folder) / "now.binpb"
        image(Path(folder), before)
        image(ROOT, now)
        ours = ["--path", "user/v1", "--path", "chat/v1"]
        command = ["buf", "breaking", str(now), "--against", str(before), "--config", "protos/buf.yaml", *ours]
        return subprocess.run(command, cwd=ROOT, check=False).returncode != 0


def main() -> None:
    """Exit 1 if the contract breaks the last release."""
    revision = sys.argv[1] if len(sys.argv) > 1 else last_release()
    if not revision:
        print("no release yet (a tag v*): nothing to break")
        return
    if breaks(revision):
        sys.exit(f"the contract breaks the clients of {revision}: make a new field, method or package version instead")


if __name__ == "__main__":
    main()
