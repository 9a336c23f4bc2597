"""When calls are tried again: VirtualService.retries, the mesh's default, and Istio's own."""

import re

from localmesh.manifests.istio.virtual_service import HTTPRetry
from localmesh.mesh.routes import Retry

# What istiod gives every route that says nothing (it does not retry a 503), and what `attempts` alone means.
DEFAULT_ATTEMPTS = 2
DEFAULT_ON = ("connect-failure", "refused-stream", "unavailable", "cancelled", "retriable-status-codes")
_CODE = re.compile(r"[0-9]{3}")


def retry(written: HTTPRetry | None, *, hashed: bool) -> Retry | None:
    """The policy; None where `attempts` is 0. `hashed`: a consistent hash decides, so the same endpoint is asked."""
    if written is None:
        return Retry(DEFAULT_ATTEMPTS, DEFAULT_ON, ignore_previous_hosts=not hashed)
    if not written.attempts or written.attempts < 0:
        return None
    words, codes = _conditions(written.retry_on or "")
    ignore = written.retry_ignore_previous_hosts
    return Retry(
        attempts=written.attempts,
        on=words or (DEFAULT_ON if not codes else ()),
        status_codes=codes,
        per_try_timeout=written.per_try_timeout,
        backoff=written.backoff,
        remote_localities=written.retry_remote_localities,
        ignore_previous_hosts=not hashed if ignore is None else ignore,
    )


def _conditions(retry_on: str) -> tuple[tuple[str, ...], tuple[int, ...]]:
    """Numbers become status codes, and then `retriable-status-codes` is among the words."""
    parts = [each for each in retry_on.split(",") if each]
    codes = tuple(int(each) for each in parts if _CODE.fullmatch(each))
    words = [each for each in parts if not _CODE.fullmatch(each)]
    if codes and "retriable-status-codes" not in words:
        words.append("retriable-status-codes")
    return tuple(words), codes
