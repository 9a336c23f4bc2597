"""Input YAML -> the captured configuration of each pod. `python -m tests.golden.golden` rewrites what is expected."""

from pathlib import Path

import yaml

from localmesh.manifests import load
from localmesh.mesh import Dial, Placement
from localmesh.resolve import resolve
from localmesh.xds.capture import capture
from localmesh.xds.readable import to_json

FOLDER = Path(__file__).parent
HOST = "user.mesh.svc.cluster.local"
# Where the pods of every case stand.
PLACEMENTS = {
    "mesh/user-0": Placement("127.1.0.11", apps={50051: "unix:/run/user.sock"}),
    "mesh/chat-0": Placement("127.1.0.12", dials=(Dial(HOST, 50051, "127.1.0.12", 15001, f"{HOST}:50051"),)),
}


def cases() -> list[Path]:
    """The folders that hold a case."""
    return sorted(path.parent for path in FOLDER.glob("*/in.yaml"))


def outputs(case: Path) -> dict[str, str]:
    """The files that are expected: one for each pod."""
    mesh = resolve(load([case / "in.yaml"]), PLACEMENTS, {}).mesh
    found = {}
    for key, placement in PLACEMENTS.items():
        pod = mesh.pod(key)
        if pod is not None:
            captured = to_json(capture(mesh, pod, placement))
            found[f"{pod.name}.yaml"] = yaml.safe_dump(captured, default_flow_style=None, width=110)
    return found


def main() -> None:
    """Writes what is made now, and removes what is no longer made."""
    for case in cases():
        for stale in case.glob("*.yaml"):
            if stale.name != "in.yaml":
                stale.unlink()
        for name, text in outputs(case).items():
            (case / name).write_text(text)


if __name__ == "__main__":
    main()
