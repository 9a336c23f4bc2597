"""Retry policies: how often, and on what."""

import http
from collections.abc import Iterator

from localmesh.errors import Problem
from localmesh.manifests.istio.virtual_service import HTTPRetry
from localmesh.manifests.nodes import nearest

CONDITIONS = frozenset(
    [
        "5xx",
        "gateway-error",
        "reset",
        "reset-before-request",
        "connect-failure",
        "retriable-4xx",
        "refused-stream",
        "retriable-status-codes",
        "retriable-headers",
        "envoy-ratelimited",
        "http3-post-connect-failure",
        "cancelled",
        "deadline-exceeded",
        "internal",
        "resource-exhausted",
        "unavailable",
    ]
)
"""Envoy's x-envoy-retry-on and x-envoy-retry-grpc-on."""

_STATUS = frozenset(str(each.value) for each in http.HTTPStatus)


def problems(retries: HTTPRetry | None) -> Iterator[Problem]:
    """What is wrong with a retry policy: attempts 0 switches retries off, so nothing else may be set beside it."""
    if retries is None:
        return
    if retries.attempts is not None and retries.attempts < 0:
        yield Problem(retries.at("attempts"), f"{retries.attempts} attempts: 0 switches retries off")
    configured = retries.per_try_timeout is not None or retries.retry_on or retries.retry_remote_localities is not None
    if not retries.attempts and configured:
        what = "a retry policy with no attempts: retries are off and the rest has no use"
        yield Problem(retries.where, what, "set attempts")
    for condition in (retries.retry_on or "").split(",") if retries.retry_on else ():
        if condition not in CONDITIONS and condition not in _STATUS:
            yield Problem(retries.at("retry_on"), f'"{condition}" is nothing to retry on', _meant(condition))


def _meant(condition: str) -> str:
    if condition.strip() in CONDITIONS | _STATUS:
        return "istiod takes no spaces: a,b,c"
    if condition.isdigit():
        return "this is not an HTTP status"
    return nearest(condition, sorted(CONDITIONS))
