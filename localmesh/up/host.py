"""This machine as a plan must know it: addresses for the pods, and the programs that they are made of.

Beside it, what a caller on this machine may want to know: `callers.json` in the state folder says which addresses the
gateways have opened, and where the spans of their calls go, as OTEL_EXPORTER_OTLP_ENDPOINT would have it.
"""

import contextlib
import json
import os
from dataclasses import dataclass, field
from pathlib import Path

from localmesh.errors import MeshError, Problem, Problems, Where
from localmesh.mesh import Mesh
from localmesh.mesh.pods import Proxy
from localmesh.runtime import addresses, programs
from localmesh.runtime.addresses import Block, PodAddress
from localmesh.runtime.dirs import Dirs
from localmesh.runtime.local import LocalRun
from localmesh.runtime.plan import Machine
from localmesh.up import collectors


@dataclass(slots=True)
class Host:
    """One mesh's part of this machine. `root`: where local programs are started; `collector`: where spans go."""

    dirs: Dirs
    block: Block
    root: Path
    collector: str
    _opened: frozenset[str] = field(default_factory=frozenset)
    _found: dict[str, str] = field(default_factory=dict)  # programs: looked for once
    _rootless: bool = False  # asked once: that takes a process, and an edit waits for none

    def machine(self, mesh: Mesh, local: LocalRun) -> Machine:
        """For a plan of this mesh. MeshError if a program is missing."""
        return Machine(
            addresses=self.block.take_all(pod.key for pod in mesh.pods),
            dirs=self.dirs,
            programs=self._programs(mesh, local),
            root=self.root,
            environ=dict(os.environ),
        )

    def require_free(self, local: LocalRun) -> None:
        """Problems unless the gateways can open here what they shall, besides what they have opened already."""
        problems = []
        for expose in local.expose:
            try:
                if expose.address not in self._opened:
                    addresses.require_free(expose.address)
            except MeshError as error:
                problems.append(Problem(expose.where or Where("deploy/local.yaml"), error.what, error.hint))
        if problems:
            raise Problems(problems)

    def opened(self, local: LocalRun) -> None:
        """The gateways have been told to open this, and nothing else; callers find it in `callers.json`."""
        opened = frozenset(expose.address for expose in local.expose)
        if opened != self._opened:
            self._opened = opened
            self._tell_callers()

    def _tell_callers(self) -> None:
        """Whole or not at all. A mesh whose disk is full runs on: its callers make no spans then."""
        endpoint = self.collector if self.collector.startswith(collectors.UNIX) else f"http://{self.collector}"
        file = self.dirs.callers
        aside = file.with_suffix(".new")
        with contextlib.suppress(OSError):
            aside.write_text(json.dumps({"gateways": sorted(self._opened), "otlp_endpoint": endpoint}))
            aside.replace(file)

    def _programs(self, mesh: Mesh, local: LocalRun) -> dict[str, str]:
        names = [name for name in programs.NAMES if local.uses(name)]
        if any(pod.proxy is not Proxy.NONE for pod in mesh.pods):
            names.append(programs.ENVOY)
        if not self._rootless and any(image.rootless for image in local.images.values()):
            programs.require_rootless()
            self._rootless = True
        self._found |= {name: str(programs.find(name).path) for name in names if name not in self._found}
        return {name: self._found[name] for name in names}


def imagined(dirs: Dirs, mesh: Mesh) -> Machine:
    """A machine on which nothing is claimed or looked up: for `check`, which starts nothing."""
    return Machine(
        addresses={pod.key: PodAddress("127.0.0.1", "127.0.0.1") for pod in mesh.pods},
        dirs=dirs,
        programs={name: name for name in programs.NAMES},
        root=Path(),
    )
