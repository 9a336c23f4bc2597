"""ProxyConfigs: what a pod's proxy is started with."""

from tests.localmesh.resolve.base import istio, mesh_of, pod_of

OPERATOR = """
apiVersion: install.istio.io/v1alpha1
kind: IstioOperator
metadata: {name: mesh, namespace: istio-system}
spec: {meshConfig: {defaultConfig: {proxyMetadata: {A: mesh, B: mesh, C: mesh, D: mesh}}}}
---
"""


def proxy_config(name: str, variables: str, *, namespace: str = "mesh", selector: str = "") -> str:
    written = istio("ProxyConfig", name, f"{selector}environmentVariables: {{{variables}}}", namespace=namespace)
    return written.replace("istio.io/v1\n", "istio.io/v1beta1\n")


def test_the_nearest_proxy_config_says_each_variable() -> None:
    """A workload's own, then its namespace's, then the root namespace's, then MeshConfig's."""
    mesh = mesh_of(
        OPERATOR,
        proxy_config("root", "B: root, C: root, D: root", namespace="istio-system"),
        proxy_config("namespace", "C: namespace, D: namespace"),
        proxy_config("own", "D: own", selector="selector: {matchLabels: {app: chat}}\n"),
        proxy_config("elsewhere", "A: elsewhere", namespace="other"),
    )
    chat, user = pod_of(mesh).env, pod_of(mesh, "mesh/user-v1-0").env
    assert [chat[name] for name in "ABCD"] == ["mesh", "root", "namespace", "own"]
    assert user["D"] == "namespace"


def test_a_proxy_knows_whose_it_is() -> None:
    """As Istio's injector tells it: span tags of kind `environment` read these."""
    env = pod_of(mesh_of()).env
    assert (env["POD_NAME"], env["POD_NAMESPACE"], env["SERVICE_ACCOUNT"]) == ("chat-0", "mesh", "chat")
