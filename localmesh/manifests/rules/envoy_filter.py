"""EnvoyFilter: a patch says where it applies and what it does (istiod's ValidateEnvoyFilter)."""

import re
from collections.abc import Iterator

from localmesh import codes
from localmesh.errors import Problem
from localmesh.manifests.istio.envoy_filter import ConfigPatch, EnvoyFilter, FilterMatch
from localmesh.manifests.rules import selectors

MANAGER = "envoy.filters.network.http_connection_manager"
_LISTENERS = {"LISTENER", "FILTER_CHAIN", "NETWORK_FILTER", "HTTP_FILTER", "LISTENER_FILTER"}
_ROUTES = {"ROUTE_CONFIGURATION", "VIRTUAL_HOST", "HTTP_ROUTE"}
_CLASSES = {
    **dict.fromkeys(_LISTENERS, "listener"),
    **dict.fromkeys(_ROUTES, "route_configuration"),
    "CLUSTER": "cluster",
}


def problems(resource: EnvoyFilter) -> Iterator[Problem]:
    """What istiod would reject it for, but for what is inside `value`."""
    yield from selectors.problems(resource.spec.workload_selector)
    for each in resource.spec.config_patches:
        yield from _patch(each)


def warnings(resource: EnvoyFilter) -> Iterator[Problem]:
    """Istio warns of each."""
    what = "an EnvoyFilter patches what Istio generates, which may be another thing in its next version"
    yield codes.PATCHES_INTERNALS.at(resource.where, what)
    yield from selectors.warnings(resource.spec.workload_selector)


def _patch(each: ConfigPatch) -> Iterator[Problem]:
    place, patch = each.apply_to, each.patch
    if place in {None, "INVALID"}:
        yield Problem(each.where, "applyTo is missing: what shall be patched?", "such as HTTP_FILTER")
        return
    if patch is None:
        yield Problem(each.where, "patch is missing: what shall be done?", "an operation, and its value")
        return
    if patch.operation in {None, "INVALID"}:
        yield Problem(patch.where, "operation is missing", "such as MERGE")
    elif patch.operation != "REMOVE" and patch.value is None:
        yield Problem(patch.where, f"{patch.operation} needs a value")
    if each.match is not None:
        yield from _match(each)


def _match(each: ConfigPatch) -> Iterator[Problem]:
    match = each.match
    assert match is not None
    proxy = match.proxy
    if proxy is not None and proxy.proxy_version is not None:
        try:
            re.compile(proxy.proxy_version)
        except re.error as error:
            yield Problem(proxy.at("proxy_version"), f"not a regular expression: {error}")
    wanted = _CLASSES.get(each.apply_to or "")
    for name in ("listener", "route_configuration", "cluster"):
        if wanted is not None and name != wanted and getattr(match, name) is not None:
            what = f"{each.apply_to} is matched by another kind of object"
            yield Problem(match.at(name), what, "routeConfiguration" if wanted == "route_configuration" else wanted)
    chain = match.listener.filter_chain if match.listener else None
    if chain is not None and chain.filter is not None:
        yield from _filter(chain.filter)


def _filter(match: FilterMatch) -> Iterator[Problem]:
    if not match.name:
        yield Problem(match.where, "the filter to match has no name", f"such as {MANAGER}")
    elif match.sub_filter is not None:
        if match.name not in {MANAGER, "envoy.http_connection_manager"}:
            yield Problem(match.at("name"), "only a connection manager has filters within it", MANAGER)
        elif not match.sub_filter.name:
            yield Problem(
                match.sub_filter.where, "the filter to match has no name", "such as envoy.filters.http.router"
            )
