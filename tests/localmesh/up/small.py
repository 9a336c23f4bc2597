"""The small bundle of `bundle/`, running: what the tests of up, control and cli share."""

import json
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc

from tests.localmesh.loopback import OWN

GATEWAY = f"{OWN}:18045"
_BUNDLE = Path(__file__).with_name("bundle")


def copied(folder: Path) -> Path:
    """A copy of the bundle that a test may edit."""
    copy = Path(shutil.copytree(_BUNDLE, folder / "deploy"))
    local = copy / "local.yaml"
    local.write_text(local.read_text().replace("127.0.0.1:8080", GATEWAY))
    return copy


def save(file: Path, text: str) -> None:
    """As an editor saves: whole or not at all."""
    aside = file.with_suffix(".saving")
    aside.write_text(text)
    aside.replace(file)


@dataclass(frozen=True, slots=True)
class Caller:
    """Calls echo through the gateway and both sidecars."""

    channel: grpc.aio.Channel

    async def call(self, **asked: object) -> dict[str, Any]:
        """What echo answers."""
        echo = self.channel.unary_unary("/lab.Echo/Read", request_serializer=bytes, response_deserializer=bytes)
        answer: dict[str, Any] = json.loads(await echo(json.dumps(asked).encode(), timeout=10))
        return answer

    async def code(self) -> str:
        """The status of one call, by name."""
        try:
            await self.call()
        except grpc.aio.AioRpcError as error:
            return error.code().name
        return "OK"


@asynccontextmanager
async def caller(gateway: str = GATEWAY) -> AsyncIterator[Caller]:
    """Without a retry of its own."""
    async with grpc.aio.insecure_channel(gateway, options=[("grpc.enable_retries", 0)]) as channel:
        yield Caller(channel)
