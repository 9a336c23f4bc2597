"""What is counted of a call, wherever the mesh runs: by its service, and by the proxies that it came through."""

from tests.kit import Limit, eventually
from tests.mesh.backend import Mesh
from tests.mesh.conftest import Somebody


async def test_a_call_is_counted_by_its_service_and_by_the_proxy_that_sent_it(mesh: Mesh, somebody: Somebody) -> None:
    """`somebody` was made by a call to user through the gateway."""

    def counted() -> bool:
        lines = [line for line in mesh.metrics().splitlines() if not line.endswith((" 0", " 0.0"))]
        app = any(line.startswith("grpc_server_handled_total") and '"CreateUser"' in line for line in lines)
        proxy = any(line.startswith("envoy_cluster_upstream_rq_total") and "user.mesh.svc" in line for line in lines)
        return app and proxy

    await eventually(counted, within=Limit.STARTED, what="the call in the metrics of user and of the gateway")
