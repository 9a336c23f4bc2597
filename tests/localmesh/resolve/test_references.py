"""References that lead nowhere are problems with the nearest name; what is hardly meant is a warning."""

import pytest

from localmesh.manifests.load import loads
from localmesh.resolve import resolve
from tests.localmesh.resolve.base import BASE, istio, resolved, whats

TO_USER = "route: [{destination: {host: user, port: {number: 50051}}}]"
SUBSETS = istio(
    "DestinationRule",
    "user",
    "host: user\nsubsets: [{name: v1, labels: {version: v1}}, {name: v9, labels: {version: v9}}]",
)

GATEWAY = istio(
    "Gateway",
    "public",
    "selector: {app: gateway}\nservers: [{port: {number: 80, name: grpc, protocol: GRPC}, hosts: ['*']}]",
)


def route(destination: str) -> str:
    return istio("VirtualService", "user", f"hosts: [user]\nhttp: [{{route: [{{destination: {{{destination}}}}}]}}]")


@pytest.mark.parametrize(
    ("destination", "said"),
    [
        ("host: usr", "there is no service usr.mesh.svc.cluster.local (did you mean 'user.mesh.svc.cluster.local'?)"),
        ("host: user, port: {number: 5005}", "has no port 5005 (its ports are 50051, 9464)"),
        ("host: user, subset: v", "no DestinationRule defines subset 'v' of user.mesh.svc.cluster.local"),
        ("host: user, subset: v9", "subset 'v9' of user.mesh.svc.cluster.local selects no pod"),
    ],
)
def test_a_destination_that_leads_nowhere_is_a_problem_at_its_line(destination: str, said: str) -> None:
    (problem,) = resolved(route(destination), SUBSETS).problems
    assert said in str(problem)
    assert problem.where.line > 0
    assert problem.where.path.startswith("spec.http[0].route[0].destination")


def test_a_subset_whose_workload_is_scaled_to_nothing_is_no_problem() -> None:
    written = istio("DestinationRule", "user", "host: user\nsubsets: [{name: v2, labels: {version: v2}}]")
    documents = loads(BASE + route("host: user, subset: v2") + written)
    assert not resolve(documents, replicas={"mesh/user-v2": 0}).problems


def test_such_a_mesh_is_still_whole_so_that_it_can_be_looked_at() -> None:
    assert resolved(route("host: usr")).mesh.pods


def test_a_gateway_that_does_not_exist_is_a_problem() -> None:
    bound = istio("VirtualService", "v", f"hosts: [a.example.com]\ngateways: [pubic]\nhttp: [{{{TO_USER}}}]")
    assert "there is no Gateway mesh/pubic (did you mean 'mesh/public'?)" in whats(resolved(GATEWAY, bound).problems)


def test_a_delegate_that_does_not_exist_is_a_problem_and_a_conflicting_one_a_warning() -> None:
    root = """
hosts: [user]
http:
  - {match: [{uri: {prefix: /a}}], delegate: {name: part}}
  - {match: [{uri: {prefix: /b}}], delegate: {name: parts}}
"""
    part = istio("VirtualService", "parts", f"http: [{{match: [{{uri: {{prefix: /c}}}}], {TO_USER}}}]")
    found = resolved(istio("VirtualService", "root", root), part)
    assert "there is no VirtualService mesh/part without hosts" in whats(found.problems)
    assert "can never hold below root.mesh's delegate" in whats(found.warnings)


def test_internal_hosts_bound_to_a_gateway_only_are_a_warning() -> None:
    bound = istio("VirtualService", "v", f"hosts: [user]\ngateways: [public]\nhttp: [{{{TO_USER}}}]")
    assert "does not act on calls inside it" in whats(resolved(GATEWAY, bound).warnings)


def test_tries_that_do_not_fit_into_the_timeout_are_a_warning() -> None:
    written = istio(
        "VirtualService",
        "user",
        f"hosts: [user]\nhttp: [{{timeout: 3s, retries: {{attempts: 2, perTryTimeout: 1500ms}}, {TO_USER}}}]",
    )
    assert "3 tries of 1.5 s do not fit into the timeout of 3 s" in whats(resolved(written).warnings)


def test_a_second_virtual_service_for_a_host_in_the_mesh_is_a_warning() -> None:
    spec = f"hosts: [user]\nhttp: [{{{TO_USER}}}]"
    found = resolved(istio("VirtualService", "a", spec), istio("VirtualService", "b", spec))
    assert "has a VirtualService already" in whats(found.warnings)
    assert "a.mesh is older" in whats(found.warnings)


def test_a_rule_for_a_host_that_is_no_service_is_a_warning() -> None:
    assert "there is no service usr." in whats(resolved(istio("DestinationRule", "r", "host: usr")).warnings)


@pytest.mark.parametrize(
    ("document", "field"),
    [
        (
            istio("DestinationRule", "r", "host: user\ntrafficPolicy: {tunnel: {targetHost: a, targetPort: 80}}"),
            "tunnel",
        ),
        (
            istio(
                "AuthorizationPolicy",
                "p",
                "rules: [{}]\ntargetRefs: [{kind: Service, name: user}]",
                group="security",
            ),
            "kind: Service",
        ),
    ],
)
def test_what_is_not_compiled_yet_is_refused_by_name(document: str, field: str) -> None:
    said = f"{field} is valid in Istio but not supported by localmesh yet: it runs in the cluster, not locally"
    assert said in whats(resolved(document).problems)
