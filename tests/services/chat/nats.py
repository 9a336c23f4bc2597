"""A real NATS server for tests."""

import asyncio
import os
import secrets
import signal
import socket
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

from tests.kit import Limit, eventually

BINARY = Path(sys.executable).parent / "nats-server"


def free_port() -> int:
    """A port that nobody uses, below those that the kernel hands out."""
    start = 20000 + os.getpid() % 5000
    for port in range(start, 32000):
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    raise OSError("no port is free")


@dataclass
class Nats:
    """One server with a token; `stop` and `start` it as a test needs, it keeps its address."""

    port: int = field(default_factory=free_port)
    token: str = field(default_factory=lambda: secrets.token_hex(8))
    process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """Where it is."""
        return f"nats://127.0.0.1:{self.port}"

    async def start(self) -> None:
        """Starts it and waits until it accepts connections."""
        self._spawn()
        await eventually(self._accepts, within=Limit.STARTED, what="NATS accepts connections")

    def _spawn(self) -> None:
        arguments = ["-a", "127.0.0.1", "-p", str(self.port), "--auth", self.token]
        self.process = subprocess.Popen([BINARY, *arguments], stderr=subprocess.DEVNULL)

    async def _accepts(self) -> bool:
        _, writer = await asyncio.open_connection("127.0.0.1", self.port)
        writer.close()
        return True

    def stop(self, how: signal.Signals = signal.SIGKILL) -> None:
        """Ends it; with SIGKILL as a crash does."""
        if self.process is not None:
            self.process.send_signal(how)
            self.process.wait(timeout=Limit.STARTED.value)
            self.process = None
