"""What works in a cluster and not here is refused by name, with the reason, where it is used."""

import pytest

from tests.localmesh.resolve.base import istio, resolved, service, whats

PROVIDERS = """
apiVersion: install.istio.io/v1alpha1
kind: IstioOperator
metadata: {name: mesh, namespace: istio-system}
spec:
  meshConfig:
    extensionProviders:
      - {name: als, envoyOtelAls: {service: user.mesh.svc.cluster.local, port: 50051}}
      - {name: zipkin, zipkin: {service: user.mesh.svc.cluster.local, port: 50051}}
---
"""


@pytest.mark.parametrize(
    ("document", "said"),
    [
        (
            service("near", "{name: grpc, port: 1}", app="user", more=", trafficDistribution: PreferClose"),
            "trafficDist",
        ),
        (
            PROVIDERS + istio("Telemetry", "t", "accessLogging: [{providers: [{name: als}]}]", group="telemetry"),
            "envoyOtelAls is valid in Istio but not supported by localmesh yet: it runs in the cluster, not locally "
            "(access logs are written to files only: use an envoyFileAccessLog provider) [LM002]",
        ),
        (
            PROVIDERS + istio("Telemetry", "t", "tracing: [{providers: [{name: zipkin}]}]", group="telemetry"),
            "zipkin is valid in Istio but not supported by localmesh yet",
        ),
        (
            istio("Sidecar", "s", "egress: [{hosts: ['*/*'], captureMode: NONE}]"),
            "captureMode: NONE is valid in Istio but not supported by localmesh yet",
        ),
    ],
)
def test_a_field_that_is_not_compiled_is_refused_with_the_reason(document: str, said: str) -> None:
    assert said in whats(resolved(document).problems)


def test_an_extension_provider_that_nothing_names_is_no_problem() -> None:
    assert not resolved(PROVIDERS).problems
