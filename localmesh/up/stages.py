"""The pure stages, one after the other: what files say becomes pods to run and a snapshot for each.

    paths ─ load ─► documents ─ resolve ─► mesh ─ plan ─► pods ─► placements ─ resolve, compile, capture ─► snapshots

`check` and `compile` are the same pipeline, cut short. Handed a memo, a stage does again only what has changed.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from localmesh.errors import MeshError, Problem, Problems
from localmesh.manifests import Documents, load
from localmesh.memo import Memo
from localmesh.mesh import Mesh, Placement, Pod, Service
from localmesh.resolve import Resolution, resolve
from localmesh.runtime.dirs import Dirs
from localmesh.runtime.local import LocalRun
from localmesh.runtime.plan import Machine, plan
from localmesh.runtime.podplan import PodPlan
from localmesh.up import collectors
from localmesh.up.host import imagined
from localmesh.up.local import local_run
from localmesh.up.room import require_room
from localmesh.xds import patching
from localmesh.xds.capture import capture
from localmesh.xds.compile import compile as compile_pod
from localmesh.xds.parts import Parts
from localmesh.xds.reach import reachable
from localmesh.xds.readiness import with_endpoints
from localmesh.xds.snapshot import Snapshot


@dataclass(frozen=True, slots=True, eq=False)
class Written:
    """What the files say, and the numbers of pods that a person has asked for since (by `namespace/name`).

    Equal only to itself: documents that say the same may stand on other lines.
    """

    documents: Documents
    local: LocalRun
    replicas: Mapping[str, int] = field(default_factory=dict)
    beside: tuple[Service, ...] = ()  # services that localmesh stands in for


@dataclass(frozen=True, slots=True)
class Design:
    """What shall run: the pods' plans, and what they were made from."""

    written: Written
    mesh: Mesh  # with every pod at an address of a cluster's kind
    plans: tuple[PodPlan, ...]
    warnings: tuple[Problem, ...] = ()


def read(
    paths: Iterable[Path],
    replicas: Mapping[str, int] | None = None,
    memo: Memo | None = None,
    collector: str = "",
) -> Written:
    """The documents of these files and folders. `collector`: where spans go (up.collectors). Raises Problems."""
    documents = load(paths, memo)
    local = (memo or Memo()).made("local run", local_run, documents.local)
    return Written(documents, local, replicas or {}, collectors.services(local.collectors, collector))


def meant(
    written: Written, placements: Mapping[str, Placement] | None = None, memo: Memo | None = None
) -> tuple[Mesh, tuple[Problem, ...]]:
    """The mesh that is meant, and warnings of what was probably not. Raises Problems, MeshError if it is too large."""
    kept = memo or Memo()
    resolve_again = partial(_resolved, kept.made("parts of the mesh", Memo))
    resolution = kept.made("mesh", resolve_again, written, placements or {})
    problems = (*resolution.problems, *patching.problems(resolution.mesh.patches))
    if problems:
        raise Problems(problems)
    return resolution.mesh, (*written.documents.warnings, *resolution.warnings)


def checked(written: Written, where: Dirs) -> Design:
    """All that can be found wrong without a machine to run on. Raises Problems."""
    mesh, warnings = meant(written)
    plans = plan(mesh, written.local, imagined(where, mesh)) if written.documents.local else ()
    return Design(written, mesh, plans, warnings)


def designed(
    written: Written,
    machine: Callable[[Mesh, LocalRun], Machine],
    placements: Mapping[str, Placement] | None = None,
    memo: Memo | None = None,
) -> Design:
    """The pods to run, each with a place of its own on this machine. Raises Problems, or MeshError if there is none.

    `placements` of pods that stand already spare `configured` a resolve of its own; they change nothing.
    """
    mesh, warnings = meant(written, placements, memo)
    if not mesh.workloads:
        raise MeshError("there is nothing to run: no Deployment and no StatefulSet", "name all files of the mesh")
    kept = memo or Memo()
    bare = kept.many("as run", _as_run, {pod.key: (pod,) for pod in mesh.pods})
    plans = kept.made("plan", plan, mesh.as_run(bare.values()), written.local, machine(mesh, written.local))
    return Design(written, mesh, plans, warnings)


def _as_run(before: Pod | None, pod: Pod) -> Pod:
    """The very same as before if nothing of it has changed."""
    bare = pod.as_run
    return before if before == bare else bare


def configured(design: Design, placements: Mapping[str, Placement], memo: Memo | None = None) -> dict[str, Snapshot]:
    """A snapshot for each pod's proxy, with every other pod where it stands and as ready as it is. No secrets."""
    mesh, kept = _placed(design, placements, memo), memo or Memo()
    wide = kept.same("wide", mesh.wide)
    told = kept.made("told", _told, design.plans)
    pods = {key: (wide, pod, at) for key, at in told if (pod := mesh.by_key.get(key)) is not None}
    made = kept.many("snapshots", partial(_captured, Memo()), pods)
    return {key: one.snapshot for key, one in made.items()}


def _told(plans: tuple[PodPlan, ...]) -> list[tuple[str, Placement]]:
    """The pods whose proxies are told something, and where they stand."""
    return [(each.key, each.placement) for each in plans if each.envoy]


@dataclass(frozen=True, slots=True)
class _Captured:
    """A pod's snapshot, with all that it was made of, and its parts."""

    snapshot: Snapshot
    source: tuple[Mesh, Pod, Placement]
    parts: Memo


def _captured(shared: Memo, before: _Captured | None, wide: Mesh, whole: Pod, placement: Placement) -> _Captured:
    """`shared`: what has been made for the other pods."""
    pod = reachable(whole, placement, wide.authorizers)
    source = (wide, pod, placement)
    if before is not None and before.source == source:  # what has changed is out of its reach
        return before
    parts = Parts(before.parts if before else Memo(), shared)
    parts.own.next_round()
    return _Captured(capture(wide, pod, placement, parts), source, parts.own)


def refreshed(
    snapshots: Mapping[str, Snapshot], design: Design, placements: Mapping[str, Placement], memo: Memo | None = None
) -> dict[str, Snapshot]:
    """What `configured` would give for the design of these snapshots, if nothing but readiness has changed: cheaper."""
    mesh = _placed(design, placements, memo)
    return {
        each.key: with_endpoints(snapshots[each.key], reachable(whole, each.placement))
        for each in design.plans
        if each.key in snapshots and (whole := mesh.pod(each.key)) is not None
    }


def _placed(design: Design, placements: Mapping[str, Placement], memo: Memo | None) -> Mesh:
    places = (memo or Memo()).made("places", _places, design.plans, placements)
    return meant(design.written, places, memo)[0]


def _places(plans: tuple[PodPlan, ...], placements: Mapping[str, Placement]) -> Mapping[str, Placement]:
    return {(key := each.key): placements.get(key, each.placement) for each in plans}


def _resolved(memo: Memo, written: Written, placements: Mapping[str, Placement]) -> Resolution:
    require_room(written.documents, written.replicas)
    return resolve(written.documents, placements, written.replicas, written.beside, memo)


@dataclass(frozen=True, slots=True)
class Compiled:
    """A snapshot for each pod as istiod would send it to a cluster's. With problems it is what istiod makes of them."""

    snapshots: Mapping[str, Snapshot]
    problems: tuple[Problem, ...]
    warnings: tuple[Problem, ...]


def compiled(written: Written) -> Compiled:
    """What these documents mean in a cluster, also where they mean something else than their author thinks.

    Raises Problems where a patch holds what is no message of Envoy's.
    """
    found = _resolved(Memo(), written, {})
    unreadable = tuple(patching.problems(found.mesh.patches))
    if unreadable:
        raise Problems(unreadable)
    snapshots = {pod.key: compile_pod(found.mesh, pod) for pod in found.mesh.pods}
    return Compiled(snapshots, found.problems, (*written.documents.warnings, *found.warnings))
