"""A service of this repository as a process of its own, without a mesh: on a Unix socket, logging into a file."""

import asyncio
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import grpc.aio
from grpc_health.v1 import health_pb2, health_pb2_grpc

from bench.issuer import jwks
from bench.processes import STARTED_SECONDS, python, running
from clients.tokens import AUDIENCE, ISSUER


@dataclass(frozen=True, slots=True)
class OwnService:
    """Where it is, and its process."""

    target: str
    pid: int


@contextmanager
def own_service(
    module: str, where: Path, database: str, environ: Mapping[str, str] | None = None
) -> Iterator[OwnService]:
    """`module` such as services.user, with the database of this URL and what else `environ` says."""
    where.mkdir()
    (where / "jwks.json").write_text(jwks(), encoding="utf-8")
    target = f"unix:{where}/grpc"
    settings = {
        "GRPC_LISTEN": target,
        "METRICS_LISTEN": f"unix:{where}/metrics",
        "DATABASE_URL": database,
        "DATABASE_PASSWORD": "unused",
        "JWT_JWKS_FILE": str(where / "jwks.json"),
        "JWT_ISSUER": ISSUER,
        "JWT_AUDIENCE": AUDIENCE,
        "POD_NAME": f"{where.name}-0",
        "POD_VERSION": "v1",
        **(environ or {}),
    }
    with running(python(module), accepts=target, environ=settings, log=where / "log") as pid:
        asyncio.run(_ready(target))
        yield OwnService(target, pid)


async def _ready(target: str) -> None:
    """Its stores answer too."""
    request = health_pb2.HealthCheckRequest(service="readiness")
    async with grpc.aio.insecure_channel(target) as channel, asyncio.timeout(STARTED_SECONDS):
        stub = health_pb2_grpc.HealthStub(channel)
        async for answer in stub.Watch(request):
            if answer.status == health_pb2.HealthCheckResponse.SERVING:
                return
