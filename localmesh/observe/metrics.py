"""All metrics of a mesh on one page: every app's, every Envoy's, and whether each could be asked."""

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import aiohttp

from localmesh.observe.exposition import Family, families, labelled, sample
from localmesh.observe.kept import FILTER

ANSWER_SECONDS = 2.0
# A page that is longer is not taken, as by Prometheus' body_size_limit: a label without bounds must not fill the rest.
MOST_BYTES = 4 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Target:
    """One program of a pod. `container`: `envoy`, or `app`."""

    namespace: str
    pod: str
    workload: str
    container: str
    socket: Path

    @property
    def labels(self) -> dict[str, str]:
        """What every sample of it is told by; none of them is a name that Prometheus gives itself."""
        return {
            "namespace": self.namespace,
            "pod": self.pod,
            "workload": self.workload,
            "container": self.container,
        }


@dataclass(frozen=True, slots=True)
class Page:
    """What one target has answered. `error`: why it is down; empty if it is not."""

    target: Target
    text: str = ""
    error: str = ""


async def scrape(targets: Iterable[Target]) -> list[Family]:
    """Ask all targets at once. The families of all that answer, labelled, and `up` of every one."""
    pages = await asyncio.gather(*map(_ask, targets))
    up = Family("up", "gauge", "Whether this program of a pod could be asked for its metrics.")
    up.samples += [sample("up", page.target.labels, 0 if page.error else 1) for page in pages]
    found = [up]
    for page in pages:
        found += labelled(families(page.text), page.target.labels)
    return found


async def _ask(target: Target) -> Page:
    path, query = "/metrics", {}
    if target.container == "envoy":
        path, query = "/stats/prometheus", {"usedonly": "", "filter": FILTER}
    connector = aiohttp.UnixConnector(str(target.socket))
    timeout = aiohttp.ClientTimeout(total=ANSWER_SECONDS)
    try:
        async with (
            aiohttp.ClientSession("http://pod", connector=connector, timeout=timeout) as session,
            session.get(path, params=query, raise_for_status=True) as answer,
        ):
            body = await answer.content.read(MOST_BYTES + 1)
            while len(body) <= MOST_BYTES and (more := await answer.content.read(MOST_BYTES)):
                body += more
    except (aiohttp.ClientError, OSError, TimeoutError) as error:
        return Page(target, error=str(error) or type(error).__name__)
    if len(body) > MOST_BYTES:
        return Page(target, error=f"more than {MOST_BYTES} bytes of metrics")
    return Page(target, body.decode(errors="replace"))
