"""The environment that a pod's proxy is started with: what Istio's injector sets, and what ProxyConfigs add.

A workload's own ProxyConfig counts before its namespace's, that before the root namespace's, and that before
MeshConfig's defaultConfig; variables of all of them are merged (model/proxy_config.go).
"""

from collections.abc import Mapping

from localmesh.manifests.documents import Documents
from localmesh.manifests.istio import ProxyConfig
from localmesh.mesh.pods import Pod
from localmesh.resolve.selection import Selected, oldest_first
from localmesh.resolve.settings import Settings


class ProxyConfigs:
    """All of them, by where they apply; of several at one level the oldest counts."""

    def __init__(self, documents: Documents, settings: Settings) -> None:
        self._root = settings.root_namespace
        defaults = settings.written.default_config
        self._mesh_wide: Mapping[str, str] = defaults.proxy_metadata if defaults else {}
        self._namespaces: dict[str, Mapping[str, str]] = {}
        self._workloads: Selected[Mapping[str, str]] = Selected()
        for each in oldest_first(documents.of(ProxyConfig)):
            selector, variables = each.spec.selector, each.spec.environment_variables
            if selector is not None and selector.match_labels:
                self._workloads.add(each.namespace, selector.match_labels, variables)
            else:
                self._namespaces.setdefault(each.namespace, variables)

    def environment(self, pod: Pod) -> dict[str, str]:
        """The variables of a pod's proxy: what a span tag of kind `environment` reads."""
        own = next(iter(self._workloads.of(pod.namespace, pod.labels)), {})
        return {
            "POD_NAME": pod.name,
            "POD_NAMESPACE": pod.namespace,
            "SERVICE_ACCOUNT": pod.identity.service_account,
            "ISTIO_META_WORKLOAD_NAME": pod.workload,
            **self._mesh_wide,
            **self._namespaces.get(self._root, {}),
            **self._namespaces.get(pod.namespace, {}),
            **own,
        }
