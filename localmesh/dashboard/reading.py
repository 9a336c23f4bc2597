"""What the page shows, read once: the state of the mesh as the control API tells it, and the arrows between its pods.

Values that the control API gives go on as its own JSON, which is what `localmesh status --json` prints.
"""

import asyncio
import time
from dataclasses import dataclass, field
from typing import Any

from google.protobuf.json_format import MessageToDict
from google.protobuf.message import Message

from localmesh.control.client import connected
from localmesh.control.control_pb2 import GetStatusRequest, ListPoliciesRequest, Status
from localmesh.dashboard.arrows import Arrow, Arrows
from localmesh.errors import MeshError
from localmesh.runtime.dirs import Dirs

Json = dict[str, Any]


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
    """Reads one mesh; remembers what rates are made of."""

    def __init__(self, dirs: Dirs) -> None:
        self._dirs = dirs
        self._arrows = Arrows()

    async def read(self) -> Reading:
        """The mesh now. A mesh that does not run or answer is a reading too."""
        now = time.time()
        try:
            status, policies = await asyncio.to_thread(self._ask)
        except MeshError as error:
            self._arrows = Arrows()
            return Reading(now, why=error.what, hint=error.hint)
        arrows = await self._arrows.read(status)
        return Reading(now, status=as_json(status), policies=policies, arrows=arrows)

    def _ask(self) -> tuple[Status, list[Json]]:
        with connected(self._dirs.socket("control")) as mesh:
            status = mesh.GetStatus(GetStatusRequest())
            policies = mesh.ListPolicies(ListPoliciesRequest())
        return status, as_json(policies)["policies"]


def as_json(message: Message) -> Json:
    """All fields, by their proto names."""
    made: Json = MessageToDict(message, preserving_proto_field_name=True, always_print_fields_with_no_presence=True)
    return made
