"""Destinations of routes, and their weights."""

from collections.abc import Iterator, Sequence

from localmesh.errors import Problem
from localmesh.manifests.istio.common import Destination
from localmesh.manifests.istio.virtual_service import HTTPRouteDestination, RouteDestination
from localmesh.manifests.rules.names import wrong_host, wrong_label


def destination_problems(destination: Destination) -> Iterator[Problem]:
    """A host that cannot be called, a subset that cannot be named."""
    if destination.host == "*":
        yield Problem(destination.at("host"), '"*" is no host to route to')
    elif wrong := wrong_host(destination.host):
        yield Problem(destination.at("host"), wrong)
    if destination.subset and (wrong := wrong_label(destination.subset, "subset")):
        yield Problem(destination.at("subset"), wrong)


def weight_problems(routes: Sequence[HTTPRouteDestination | RouteDestination]) -> Iterator[Problem]:
    """Weights are shares of their sum, which need not be 100; not all of several may be 0."""
    for each in routes:
        if each.weight is not None and each.weight < 0:
            yield Problem(each.at("weight"), f"the weight {each.weight} is negative")
    if len(routes) > 1 and sum(each.weight or 0 for each in routes) == 0:
        yield Problem(routes[0].where, "all weights of this route are 0", "several destinations need weights")
