"""`LocalRun`, the content of deploy/local.yaml: what this machine needs to know and a cluster does not.

Texts of `command`, `prepare` and `env` may hold placeholders, filled for each pod by `plan`:

    ${python} ${nats} ${postgres} ${envoy}   a program of this machine (postgres: the folder of its programs)
    ${sockets}                               the pod's private folder for Unix sockets
    ${volume:/path}                          where the volume is that the container has at /path
    ${address} ${port} ${port:NAME}          where a program that cannot use Unix sockets shall listen
    $(NAME)                                  a variable of the container, as in the manifest
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from localmesh.errors import Where


@dataclass(frozen=True, slots=True)
class Listen:
    """How a program is told where to listen for one container port. Exactly one of the fields is set.

    `env`: this variable gets `unix:<path>`. `socket`: the program makes a Unix socket of this name in ${sockets}.
    `address`: it listens at ${address}:${port}, a loopback address of its own, because it cannot use Unix sockets.
    """

    env: str = ""
    socket: str = ""
    address: bool = False


@dataclass(frozen=True, slots=True)
class Step:
    """One command that is run to its end; anything but exit status 0 is a failure.

    Its input is `stdin`, or what the file `stdin_file` holds then.
    """

    command: tuple[str, ...]
    stdin: str = ""
    stdin_file: str = ""


@dataclass(frozen=True, slots=True)
class Image:
    """How an image is run as a local program. `command` takes the place of the manifest's command and args."""

    command: tuple[str, ...]
    # Container port name -> how the program listens there. A port that is not listed cannot be called.
    listen: Mapping[str, Listen] = field(default_factory=dict)
    # Added to the container's variables, and stronger than they are.
    env: Mapping[str, str] = field(default_factory=dict)
    # Run once, in order and before the program, when the container's data volume is empty. A crash in between starts
    # again from an empty volume.
    prepare: tuple[Step, ...] = ()
    # The program refuses to run as root: root runs it in a user namespace where it is nobody.
    rootless: bool = False
    # How it is asked to stop: the image's STOPSIGNAL.
    stop_signal: str = "SIGTERM"
    where: Where | None = None

    def texts(self) -> tuple[str, ...]:
        """All that may hold placeholders."""
        inputs = (text for step in self.prepare for text in (*step.command, step.stdin, step.stdin_file))
        return (*self.command, *self.env.values(), *inputs)


@dataclass(frozen=True, slots=True)
class Expose:
    """A port of a gateway workload (`namespace/name`) that is also opened at `address` (`127.0.0.1:8080`)."""

    gateway: str
    port: int
    address: str
    where: Where | None = None


@dataclass(frozen=True, slots=True)
class Collector:
    """A service of the cluster that takes spans (OTLP over gRPC), and that localmesh stands in for.

    `host` is its full name, `ports` its ports by name: as in a Service, the name says the protocol.
    """

    host: str
    ports: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class LocalRun:
    """The whole of it. Images are named with or without tag; the longer name wins."""

    images: Mapping[str, Image] = field(default_factory=dict)
    expose: tuple[Expose, ...] = ()
    collectors: tuple[Collector, ...] = ()
    # Commands to try once it runs, each with what it does.
    next: Mapping[str, str] = field(default_factory=dict)

    def image(self, reference: str) -> Image | None:
        """How `reference` is run: as it is named, or without its digest, its tag, or docker.io's prefixes."""
        without_digest = reference.partition("@")[0]
        folder, slash, last = without_digest.rpartition("/")
        without_tag = folder + slash + last.partition(":")[0]
        for name in (reference, without_digest, without_tag):
            for prefix in ("", "docker.io/library/", "docker.io/"):
                if name.startswith(prefix) and (image := self.images.get(name.removeprefix(prefix))):
                    return image
        return None

    def uses(self, program: str) -> bool:
        """Whether any image is run by `${program}`."""
        return any(f"${{{program}}}" in text for image in self.images.values() for text in image.texts())
