"""`make kind-up`: every step finds what is there and does the rest, so it may be run again from wherever it ended."""

import os
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from deploy.kind import cluster, definitions, doctor, images, istio, overlay, ready
from deploy.kind.commands import Failed
from deploy.kind.kubectl import Kubectl
from deploy.kind.settings import ROOT, Settings
from deploy.kind.ways import GATEWAY, PAGES

Tell = Callable[[str], None]

NAMESPACES = ("mesh", "observability")
_READY_SECONDS = 420
_APPLY_SECONDS = 90
# How a cluster speaks that is not quite there: istiod's webhook has no endpoint yet, a kind was just defined.
_NOT_YET = ("failed calling webhook", "connection refused", "no endpoints available", "no matches for kind", "EOF")


@dataclass(frozen=True, slots=True)
class Step:
    """One step: what a person reads, what is done, and the namespaces to look into where it fails."""

    title: str
    run: Callable[[], None]
    look_into: tuple[str, ...] = ()


def up(settings: Settings, tell: Tell) -> None:
    """All steps. Raises Failed after telling what one would look at."""
    follow(steps(settings, tell), Kubectl(settings.context), tell)
    tell(how_to_call(settings))


def how_to_call(settings: Settings) -> str:
    """What a person reads at the end. Where components change Istio's documents, an edit is applied with them."""
    asked = [name for name in settings.components if name in PAGES]
    pages = "".join(f"  make kind-{name:<11} its page, at 127.0.0.1:{PAGES[name].here}\n" for name in asked)
    whole = definitions.NEEDED_BY.intersection(settings.components)
    policies = os.path.relpath(settings.work, ROOT) if whole else "deploy/istio"
    port = GATEWAY.opened_at(settings)
    return CALL.format(port=port, pages=pages, context=settings.context, policies=policies)


CALL = """
Everything runs. Next:

  make kind-forward     the gateway at 127.0.0.1:{port}, until Ctrl-C; then in another terminal
  make demo             or any client: python -m clients --help
{pages}  make kind-test        the tests of tests/mesh, against this cluster
  make kind-down        nothing is left

An edited policy: kubectl --context {context} apply -k {policies}
"""


def steps(settings: Settings, tell: Tell) -> tuple[Step, ...]:
    """What is done, in order. The later ones read what the earlier ones made."""
    kubectl = Kubectl(settings.context)
    istio_arguments: list[str] = []
    other_tags: dict[str, str] = {}

    def checked() -> None:
        overlay.component_folders(settings.components)  # a name misspelt is told before anything is made
        if not doctor.healthy(settings, tell):
            raise Failed("this machine is not ready for it: see above")

    def loaded() -> None:
        images.load_ours(settings, overlay.SERVICES)
        istio_arguments[:] = istio.arguments(settings, tell)
        other_tags.update(images.other_tags(settings, of_bundle(), tell))
        bundle = of_bundle()
        images.load_others(settings, [*bundle, *istio.own_images(istio_arguments)], tell)

    def of_bundle() -> list[str]:
        return images.of_others(kubectl("kustomize", str(rendered(settings, settings.components, other_tags))))

    def applied() -> None:
        components = settings.components
        if "without-cni" not in components and not istio.has_cni(kubectl):
            tell("Istio has no CNI agent here: the namespace `mesh` admits NET_ADMIN (component without-cni)")
            components = (*components, "without-cni")
        apply(kubectl, ("-k", str(rendered(settings, components, other_tags))), tell)

    return (
        Step("what this machine has", checked),
        Step(f"the cluster {settings.cluster}", lambda: cluster.ensured(settings, tell), ("kube-system",)),
        Step("our images", lambda: images.build_all(settings, overlay.SERVICES, tell)),
        Step("images into the nodes", loaded),
        Step("the definitions of the Gateway API", lambda: definitions.ensured(settings, kubectl, tell)),
        Step("Istio", lambda: istio.installed(settings, istio_arguments), ("istio-system",)),
        Step("deploy/k8s, deploy/istio and the components", applied, NAMESPACES),
        Step(
            "until everything runs",
            lambda: ready.wait(kubectl, NAMESPACES, tell, limit=_READY_SECONDS),
            (*NAMESPACES, "istio-system"),
        ),
    )


def follow(todo: Sequence[Step], kubectl: Kubectl, tell: Tell) -> None:
    """Does one after the other and tells how long each took. Raises Failed at the first that fails."""
    for number, step in enumerate(todo, start=1):
        tell(f"[{number}/{len(todo)}] {step.title}")
        begun = time.monotonic()
        try:
            step.run()
        except Failed:
            ready.trouble(kubectl, step.look_into, _indented(tell))
            raise
        tell(f"done in {time.monotonic() - begun:.0f} s")


def apply(kubectl: Kubectl, words: Iterable[str], tell: Tell) -> None:
    """kubectl apply, again while the cluster is not quite there. Raises Failed."""
    end = time.monotonic() + _APPLY_SECONDS
    while True:
        try:
            said = kubectl("apply", *words, limit=_APPLY_SECONDS)
        except Failed as error:
            if time.monotonic() > end or not any(hint in str(error) for hint in _NOT_YET):
                raise
            tell("the cluster is not quite there; once more")
            time.sleep(3)
            continue
        # kubectl says "configured" of secrets, budgets and claims every time, whether they change or not.
        created = [line for line in said.splitlines() if line.endswith("created")]
        tell(f"{len(said.splitlines())} documents, {len(created)} of them new")
        return


def rendered(settings: Settings, components: Sequence[str], other_tags: Mapping[str, str]) -> Path:
    """The folder with this site's kustomization. Raises Failed."""
    ids = images.identifiers(settings, overlay.SERVICES)
    folder = settings.work
    return overlay.written(folder, overlay.kustomization(folder, settings.image_tag, components, ids, other_tags))


def _indented(tell: Tell) -> Tell:
    return lambda line: tell(f"    {line}")
