"""deploy/local.yaml as written, and what the runtime makes of it: its records know no YAML."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import ClassVar

from localmesh.errors import MeshError, Problem, Problems, Where
from localmesh.manifests import RawDocument, Record
from localmesh.manifests.record import Port, empty_map, json_named
from localmesh.runtime.addresses import split
from localmesh.runtime.local import Collector, Expose, Image, Listen, LocalRun, Step

CLUSTER_DOMAIN = ".svc.cluster.local"


@dataclass(frozen=True, slots=True, kw_only=True)
class WrittenListen(Record):
    """How a program is told where to listen for one container port. Exactly one of the fields is set."""

    EXACTLY_ONE: ClassVar[tuple[str, ...]] = ("env", "socket", "address")

    env: str | None = None
    socket: str | None = None
    address: bool | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class WrittenStep(Record):
    """One command that is run to its end, with its input (a text, or a file); exit status 0 alone is success."""

    AT_MOST_ONE: ClassVar[tuple[tuple[str, ...], ...]] = (("stdin", "stdin_file"),)

    command: tuple[str, ...]
    stdin: str = ""
    stdin_file: str = json_named("stdin_file", "")


@dataclass(frozen=True, slots=True, kw_only=True)
class WrittenImage(Record):
    """How an image is run as a local program. `command` takes the place of the manifest's command and args."""

    command: tuple[str, ...]
    listen: Mapping[str, WrittenListen] = empty_map()
    env: Mapping[str, str] = empty_map()
    prepare: tuple[WrittenStep, ...] = ()
    rootless: bool = False
    stop_signal: str = json_named("stop_signal", "SIGTERM")


@dataclass(frozen=True, slots=True, kw_only=True)
class WrittenExpose(Record):
    """A port of a gateway workload (`namespace/name`) that is also opened at `address` (`127.0.0.1:8080`)."""

    gateway: str
    port: Port
    address: str


@dataclass(frozen=True, slots=True, kw_only=True)
class WrittenCollector(Record):
    """A service that takes spans in the cluster; `ports` by their names, which say the protocol: `grpc-…`, `tcp-…`."""

    service: str
    ports: Mapping[str, Port]


@dataclass(frozen=True, slots=True, kw_only=True)
class WrittenLocalRun(Record):
    """The whole of it. Images are named with or without tag; the longer name wins."""

    api_version: str
    kind: str
    images: Mapping[str, WrittenImage] = empty_map()
    expose: tuple[WrittenExpose, ...] = ()
    collectors: tuple[WrittenCollector, ...] = ()
    next: Mapping[str, str] = empty_map()


def local_run(document: RawDocument | None) -> LocalRun:
    """What this document says; an empty LocalRun if there is none. Raises Problems."""
    if document is None:
        return LocalRun()
    written = document.decode(WrittenLocalRun)
    if problems := [*_exposed_wrongly(written), *_no_services(written)]:
        raise Problems(problems)
    return LocalRun(
        images={name: _image(image) for name, image in written.images.items()},
        expose=tuple(Expose(one.gateway, one.port, one.address, one.at("address")) for one in written.expose),
        collectors=tuple(Collector(one.service, one.ports) for one in written.collectors),
        next=written.next,
    )


def _exposed_wrongly(written: WrittenLocalRun) -> Iterator[Problem]:
    first: dict[str, Where] = {}
    for one in written.expose:
        try:
            split(one.address)
        except MeshError as error:
            yield Problem(one.at("address"), error.what, error.hint)
        if first.setdefault(one.address, one.where) is not one.where:
            yield Problem(one.at("address"), f"{one.address} is opened twice", f"first at {first[one.address]}")


def _no_services(written: WrittenLocalRun) -> Iterator[Problem]:
    for one in written.collectors:
        if one.service.count(".") < 2 or not one.service.endswith(CLUSTER_DOMAIN):
            hint = f"write it in full: jaeger.observability{CLUSTER_DOMAIN}"
            yield Problem(one.at("service"), f"{one.service!r} is not the name of a service", hint)


def _image(written: WrittenImage) -> Image:
    return Image(
        command=written.command,
        listen={
            port: Listen(listen.env or "", listen.socket or "", bool(listen.address))
            for port, listen in written.listen.items()
        },
        env=written.env,
        prepare=_steps(written.prepare),
        rootless=written.rootless,
        stop_signal=written.stop_signal,
        where=written.where,
    )


def _steps(written: tuple[WrittenStep, ...]) -> tuple[Step, ...]:
    return tuple(Step(step.command, step.stdin, step.stdin_file) for step in written)
