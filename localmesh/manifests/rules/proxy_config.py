"""ProxyConfig: a number of workers is not negative, and a selector selects something."""

from collections.abc import Iterator

from localmesh.errors import Problem
from localmesh.manifests.istio.proxy_config import ProxyConfig
from localmesh.manifests.rules import selectors


def problems(resource: ProxyConfig) -> Iterator[Problem]:
    """What istiod would reject it for."""
    yield from selectors.problems(resource.spec.selector)
    if (resource.spec.concurrency or 0) < 0:
        yield Problem(resource.spec.at("concurrency"), "concurrency is negative", "0 is one worker for each processor")


def warnings(resource: ProxyConfig) -> Iterator[Problem]:
    """What istiod would warn about."""
    yield from selectors.warnings(resource.spec.selector)
