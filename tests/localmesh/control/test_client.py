"""The control API over a real socket, as its clients see it."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import grpc

from localmesh.control.client import connected
from localmesh.control.control_pb2 import DESCRIPTOR, GetTraceRequest, GetTraceResponse

LARGE = 5 * 1024 * 1024  # gRPC takes 4 MiB unless it is told otherwise


def test_an_answer_of_more_than_4_mib_is_taken(tmp_path: Path) -> None:
    large_trace = grpc.unary_unary_rpc_method_handler(
        lambda _request, _context: GetTraceResponse(otlp=bytes(LARGE)),
        GetTraceRequest.FromString,
        GetTraceResponse.SerializeToString,
    )
    name = DESCRIPTOR.services_by_name["ControlService"].full_name
    server = grpc.server(ThreadPoolExecutor(1))
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(name, {"GetTrace": large_trace}),))
    socket = tmp_path / "control"
    server.add_insecure_port(f"unix:{socket}")
    server.start()
    try:
        with connected(socket) as mesh:
            assert len(mesh.GetTrace(GetTraceRequest()).otlp) == LARGE
    finally:
        server.stop(None).wait()
