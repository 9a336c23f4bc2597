"""What the page shows, read once: the state of the mesh as the control API tells it, and the arrows between its pods.

Values that the control API gives go on as its own JSON, which is what `localmesh status --json` prints.
"""

import asyncio
import time
from collections import deque
from dataclasses import dataclass, field
from typing import Any

from google.protobuf.json_format import MessageToDict
from google.protobuf.message import Message

from localmesh.control.client import connected
from localmesh.control.control_pb2 import GetStatusRequest, ListPoliciesRequest, Status
from localmesh.control.figures import asked
from localmesh.dashboard.arrows import Arrow, arrows
from localmesh.errors import MeshError
from localmesh.observe import readings
from localmesh.observe.edges import edges
from localmesh.runtime.dirs import Dirs

Json = dict[str, Any]

# A mesh that does not answer a call by then hangs: the page says so, and whoever ends the dashboard waits no longer.
ANSWER_SECONDS = 5.0
# Rates and latencies are those of the last seconds: so many, so that numbers are calm.
WINDOW_SECONDS = 8.0
# A reading as old as this is of somebody who has looked before.
STALE_SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class Reading:
    """The mesh at one moment. Where none runs, `why` says so and `hint` what to try."""

    at: float  # Unix time
    why: str = ""
    hint: str = ""
    status: Json | None = None
    policies: list[Json] = field(default_factory=list)
    arrows: list[Arrow] = field(default_factory=list)


class Reader:
    """Reads one mesh, and remembers the last readings of its proxies: rates are the difference of two."""

    def __init__(self, dirs: Dirs) -> None:
        self._control = dirs.socket("control")
        self._proxies: deque[readings.Reading] = deque()

    async def read(self) -> Reading:
        """The mesh now. A mesh that does not run or answer is a reading too."""
        now = time.time()
        try:
            status, policies = await asyncio.to_thread(self._ask)
        except MeshError as error:
            self._proxies.clear()
            return Reading(now, why=error.what, hint=error.hint)
        proxies = asked(status)
        self._keep(await readings.read(proxies))
        workloads = {f"{pod.namespace}/{pod.name}": pod.workload for pod in status.pods}
        found = arrows(edges(self._proxies[0], self._proxies[-1], proxies), workloads)
        return Reading(now, status=as_json(status), policies=policies, arrows=found)

    def _keep(self, newest: readings.Reading) -> None:
        """Remember a reading, and forget those that are too old to compare it with."""
        while self._proxies:
            limit = WINDOW_SECONDS if len(self._proxies) > 1 else STALE_SECONDS
            if newest.at - self._proxies[0].at <= limit:
                break
            self._proxies.popleft()
        self._proxies.append(newest)

    def _ask(self) -> tuple[Status, list[Json]]:
        with connected(self._control) as mesh:
            status = mesh.GetStatus(GetStatusRequest(), timeout=ANSWER_SECONDS)
            policies = mesh.ListPolicies(ListPoliciesRequest(), timeout=ANSWER_SECONDS)
        return status, as_json(policies)["policies"]


def as_json(message: Message) -> Json:
    """All fields, by their proto names."""
    made: Json = MessageToDict(message, preserving_proto_field_name=True, always_print_fields_with_no_presence=True)
    return made
