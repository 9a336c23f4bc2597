"""What the placeholders of deploy/local.yaml stand for in one container. Pure; `local` lists them."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from localmesh.mesh.workloads import Container
from localmesh.runtime.environment import Mounted, expand, localized
from localmesh.runtime.local import Image

_PLACEHOLDER = re.compile(r"\$\{([a-z]+)(?::([^}]*))?\}")
_ONE_WAY = "one of env, socket and address: true"


@dataclass(slots=True)
class Listening:
    """Where a container's program listens, and how it is told."""

    places: dict[int, str] = field(default_factory=dict)  # port number -> `unix:/path` or `127.x.y.z:port`
    env: dict[str, str] = field(default_factory=dict)
    address: str = ""
    ports: dict[str, int] = field(default_factory=dict)  # names of the ports that are listened to by address
    sockets: tuple[Path, ...] = ()
    problems: list[tuple[str, str]] = field(default_factory=list)


def listening(container: Container, image: Image, address: str, folder: Path, sockets: bool) -> Listening:
    """The places of the container's ports. `sockets` False: the pod has no sidecar, apps listen at its address."""
    result = Listening(address=address)
    numbers = dict(container.ports)
    for name, how in image.listen.items():
        if name not in numbers:
            known = ", ".join(numbers) or "none"
            result.problems.append((f"{container.image} has no port named {name}", f"its ports are {known}"))
        elif [bool(how.env), bool(how.socket), how.address].count(True) != 1:
            result.problems.append((f"it is not said how {container.image} is told of its port {name}", _ONE_WAY))
        elif how.env and sockets:
            _add_socket(result, numbers[name], folder / f"{name}.sock")
            result.env[how.env] = result.places[numbers[name]]
        elif how.socket and sockets:
            _add_socket(result, numbers[name], folder / how.socket)
        elif how.socket:
            result.problems.append((f"{container.image} listens on a Unix socket only", "give its pod a sidecar"))
        else:
            result.places[numbers[name]] = f"{address}:{numbers[name]}"
            result.ports[name] = numbers[name]
            if how.env:
                result.env[how.env] = result.places[numbers[name]]
    return result


def _add_socket(result: Listening, port: int, path: Path) -> None:
    result.places[port] = f"unix:{path}"
    result.sockets += (path,)


@dataclass(slots=True)
class Values:
    """The values for one container; `problems` collects (what, hint) of placeholders that stand for nothing."""

    programs: Mapping[str, str]
    sockets: Path
    mounts: tuple[Mounted, ...]
    listening: Listening
    variables: Mapping[str, str]
    problems: list[tuple[str, str]] = field(default_factory=list)

    def fill(self, text: str) -> str:
        """The text with its placeholders and `$(NAME)` replaced."""
        return expand(_PLACEHOLDER.sub(self._value, text), self.variables)

    def _value(self, found: re.Match[str]) -> str:
        name, of = found[1], found[2]
        if of is None and name in self.programs:
            return self.programs[name]
        if of is None and name == "sockets":
            return str(self.sockets)
        if of is None and name == "address":
            return self.listening.address
        if name == "volume" and of is not None:
            return self._volume(of, found[0])
        if name == "port":
            return self._port(of, found[0])
        self.problems.append((f"{found[0]} stands for nothing", f"known are {', '.join(self.programs)}, sockets, "
                              "volume:/path, address, port"))  # fmt: skip
        return found[0]

    def _volume(self, path: str, whole: str) -> str:
        here = localized(path, self.mounts)
        if here == path:
            mounts = ", ".join(mount.path for mount in self.mounts) or "none"
            self.problems.append((f"{whole}: nothing is mounted there", f"the container's mounts are {mounts}"))
        return here

    def _port(self, name: str | None, whole: str) -> str:
        ports = self.listening.ports
        if name is None and len(ports) == 1:
            return str(next(iter(ports.values())))
        if name in ports:
            return str(ports[name])
        known = ", ".join(ports) or "none"
        self.problems.append((f"{whole} stands for nothing", f"ports with `address: true` are {known}"))
        return whole
