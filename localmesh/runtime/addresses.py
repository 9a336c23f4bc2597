"""The only place that chooses addresses.

Linux answers on all of 127.0.0.0/8 with no set-up. A mesh claims a block 127.M.0.0/16 by listening at 127.M.0.1:15000,
so that several meshes run side by side; the kernel gives the block back however the mesh ends. In the block every pod
has an address of its own, and a second one where an app listens that cannot use Unix sockets.

macOS answers on 127.0.0.1 only. There `Block.take` would hand out ports of 127.0.0.1 in place of addresses; until it
does, `claim` says so.
"""

import errno
import socket
from collections.abc import Iterable
from dataclasses import dataclass, field
from ipaddress import AddressValueError, IPv4Address

from localmesh.errors import MeshError

CLAIM_PORT = 15000
# Where a pod's sidecar listens for what its app dials; below the ports that the kernel hands out by itself (32768).
FIRST_DIAL_PORT = 20000
_BLOCKS = range(16, 251)
PODS = 120 * 250  # for as many a block has addresses


@dataclass(frozen=True, slots=True)
class PodAddress:
    """`pod`: what its sidecar binds and what the mesh knows it by. `app`: what its programs bind behind the sidecar."""

    pod: str
    app: str


@dataclass(slots=True)
class Block:
    """A claimed block. A pod has the same address for as long as the mesh runs, also after it was away."""

    number: int
    claim: socket.socket
    _taken: dict[str, PodAddress] = field(default_factory=dict)

    def take(self, pod: str) -> PodAddress:
        """The addresses of the pod `namespace/name`."""
        return self.take_all([pod])[pod]

    def take_all(self, pods: Iterable[str]) -> dict[str, PodAddress]:
        """The addresses of these pods (`namespace/name`). MeshError if there are not enough: then none is taken."""
        wanted = dict.fromkeys(pods)
        new = [pod for pod in wanted if pod not in self._taken]
        if len(self._taken) + len(new) > PODS:
            raise MeshError(f"a mesh has addresses for {PODS} pods in its life", "ask for fewer pods")
        for at, pod in enumerate(new, len(self._taken)):
            high, low = 1 + at // 250, 1 + at % 250
            self._taken[pod] = PodAddress(f"127.{self.number}.{high}.{low}", f"127.{self.number}.{128 + high}.{low}")
        return {pod: self._taken[pod] for pod in wanted}

    def release(self) -> None:
        """Give the block back."""
        self.claim.close()


def claim() -> Block:
    """A block that no other mesh of this machine has."""
    for number in _BLOCKS:
        listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        try:
            listener.bind((f"127.{number}.0.1", CLAIM_PORT))
            listener.listen(1)
        except OSError as error:
            listener.close()
            if error.errno == errno.EADDRINUSE:
                continue
            raise MeshError(
                f"this machine does not answer on 127.{number}.0.1: {error.strerror}",
                "localmesh needs the whole of 127.0.0.0/8, as Linux has it; on macOS run it in a Linux container",
            ) from error
        return Block(number, listener)
    raise MeshError(f"all {len(_BLOCKS)} blocks of loopback addresses are taken", "end other meshes: localmesh down")


def split(address: str) -> tuple[str, int]:
    """`127.0.0.1:8080` in its parts. MeshError if it is not an IPv4 address and a port."""
    host, _, port = address.rpartition(":")
    try:
        IPv4Address(host)
        if port.isascii() and port.isdigit() and 0 < int(port) < 65536:
            return host, int(port)
    except AddressValueError:
        pass
    raise MeshError(f"{address!r} is not an address and a port", "write it as 127.0.0.1:8080")


def require_free(address: str) -> None:
    """MeshError if another program listens at `address` (`127.0.0.1:8080`), before a proxy would share it unseen."""
    host, port = split(address)
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as listener:
        # As Envoy does: connections of a mesh that has just ended do not count, a listener does.
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((host, port))
        except OSError as error:
            raise MeshError(
                f"{address} cannot be opened: {error.strerror}",
                f"see who has it with `ss -ltnp sport = :{port}`, or choose another address in deploy/local.yaml",
            ) from error
