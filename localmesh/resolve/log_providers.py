"""Where access logs go: MeshConfig's accessLogFile, and extension providers that write files."""

import json
from collections.abc import Mapping

from localmesh.manifests.mesh_config import MeshConfig
from localmesh.manifests.providers import ExtensionProvider
from localmesh.mesh.telemetry import AccessLog
from localmesh.resolve.findings import Findings
from localmesh.resolve.refusals import refuse

# The provider that Istio's MeshConfig always has.
BUILT_IN = "envoy"
STDOUT = "/dev/stdout"


def access_log(
    name: str, expression: str, providers: Mapping[str, ExtensionProvider], findings: Findings
) -> AccessLog | None:
    """The log of a provider; None where it is not known, or no log that we write (refused by name)."""
    provider = providers.get(name)
    if provider is None:
        return AccessLog(STDOUT, filter=expression) if name == BUILT_IN else None
    written = provider.envoy_file_access_log
    if written is None:
        refuse(provider, findings)
        return None
    form = written.log_format
    labels = form.labels if form else None
    return AccessLog(
        written.path or STDOUT,
        text=form.text or None if form else None,
        json=None if labels is None else json.dumps(labels, default=dict) if labels else "",
        filter=expression,
        omit_empty=written.omit_empty_values,
    )


def mesh_log(config: MeshConfig) -> AccessLog | None:
    """What accessLogFile asks for, where no Telemetry says anything."""
    if not config.access_log_file:
        return None
    form = config.access_log_format
    if config.access_log_encoding == "JSON":
        return AccessLog(config.access_log_file, json=form if form and _is_object(form) else "")
    return AccessLog(config.access_log_file, text=form or None)


def _is_object(form: str) -> bool:
    """Whether it is a JSON object. Istio takes its own format in place of anything else."""
    try:
        return isinstance(json.loads(form), dict)
    except ValueError:
        return False
