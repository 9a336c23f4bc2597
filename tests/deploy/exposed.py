"""The names of the metrics that Prometheus finds in the cluster, by who exposes them, and those of a query."""

import re

from prometheus_client import CollectorRegistry

from services.chat import metrics as chat
from services.common.telemetry import set_up

# Of istiod and of the sidecars' agent: https://istio.io/latest/docs/reference/commands/pilot-discovery/#metrics and
# …/pilot-agent/#metrics.
ISTIO = frozenset({"pilot_total_xds_rejects", "pilot_xds", "istio_agent_cert_expiry_seconds"})
# Of Prometheus itself: https://prometheus.io/docs/concepts/jobs_instances/
SCRAPES = frozenset({"up"})

_ENDINGS = {"counter": ("_total",), "histogram": ("_bucket", "_sum", "_count")}
_WORDS = frozenset(
    {"and", "or", "unless", "by", "without", "on", "ignoring", "group_left", "group_right", "bool", "offset"}
)


def by_services() -> frozenset[str]:
    """Both services' registries."""
    registry: CollectorRegistry = set_up("any", "any-0").registry
    chat.register(registry)
    return frozenset(f"{each.name}{ending}" for each in registry.collect() for ending in _ENDINGS.get(each.type, ("",)))


def in_exposition(text: str) -> frozenset[str]:
    """The names in what a scrape answers."""
    return frozenset(re.findall(r"(?m)^([a-zA-Z_:][\w:]*)[{ ]", text))


def asked_by(query: str) -> frozenset[str]:
    """The metrics that a PromQL query names: what is neither a function, a label nor a word of the language."""
    bare = re.sub(r'"(?:\\.|[^"\\])*"', "", query)
    bare = re.sub(r"\{[^}]*\}|\[[^\]]*\]", " ", bare)
    bare = re.sub(r"\b(?:by|without|on|ignoring|group_left|group_right)\s*\([^)]*\)", " ", bare)
    names = re.findall(r"(?<![\w:.$])([a-zA-Z_:][\w:]*)(?!\s*\(|[\w:])", bare)
    return frozenset(names) - _WORDS
