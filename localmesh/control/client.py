"""The control API as the command line sees it: one call after another, errors as they were raised in the mesh."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import cast

import grpc

from localmesh.control.control_pb2 import Failure
from localmesh.control.control_pb2_grpc import ControlServiceStub
from localmesh.control.failures import TRAILER, decode
from localmesh.errors import MeshError

# A trace may be larger than the 4 MiB that gRPC takes of an answer; the mesh is ours, and bounds what it keeps.
_OPTIONS = (("grpc.max_receive_message_length", -1),)


@contextmanager
def connected(socket: Path) -> Iterator[ControlServiceStub]:
    """The mesh behind this socket. Inside, a failed call raises the MeshError that the mesh raised.

    Raises MeshError if no mesh answers there.
    """
    if not socket.exists():
        raise _not_running()
    with grpc.insecure_channel(f"unix:{socket}", options=_OPTIONS) as channel:
        try:
            yield ControlServiceStub(channel)
        except grpc.RpcError as error:
            raise _told(error) from error


def _told(error: grpc.RpcError) -> MeshError:
    # What a stub raises is both an RpcError and a Call; the two declare that they cannot be one class.
    call = cast(grpc.Call, error)
    for key, value in call.trailing_metadata() or ():
        if key == TRAILER and isinstance(value, bytes):
            return decode(Failure.FromString(value))
    if call.code() is grpc.StatusCode.UNAVAILABLE:
        return _not_running()
    return MeshError(f"the mesh answered {call.code().name}: {call.details()}", "localmesh logs localmesh")


def _not_running() -> MeshError:
    return MeshError("the mesh is not running", "localmesh up")
