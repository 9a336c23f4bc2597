"""Ways into a cluster: a port-forward that comes back when it ends, and a port behind a program's stdin and stdout."""

import random
import socket
import socketserver
import subprocess
import threading
import time
from collections.abc import Iterator, Sequence
from types import TracebackType
from typing import Self

_OPEN_SECONDS = 30


def free_ports() -> Iterator[int]:
    """Ports of 127.0.0.1 outside the range that the kernel hands out (32768 and above).

    In any order, so that two runs of the tests that begin at once do not choose the same.
    """
    for port in random.sample(range(18080, 18980), 900):
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)):
                yield port
    raise RuntimeError("no free port from 18080 to 18979")


class Forward:
    """`kubectl port-forward`, begun again whenever it ends: it leads to one pod, and pods go."""

    def __init__(self, command: Sequence[str], port: int) -> None:
        self._command = list(command)
        self._over = threading.Event()
        self._process = self._begun()
        self._keeper = threading.Thread(target=self._keep, daemon=True)
        self._keeper.start()
        end = time.monotonic() + _OPEN_SECONDS
        while time.monotonic() < end:
            with socket.socket() as probe:
                if not probe.connect_ex(("127.0.0.1", port)):
                    return
            time.sleep(0.1)
        self.close()
        raise RuntimeError(f"no way in after {_OPEN_SECONDS} s: {' '.join(self._command)}")

    def close(self) -> None:
        """It ends for good."""
        self._over.set()
        self._process.kill()
        self._keeper.join()

    def _begun(self) -> "subprocess.Popen[bytes]":
        quiet = subprocess.DEVNULL
        return subprocess.Popen(self._command, stdin=quiet, stdout=quiet, stderr=quiet)

    def _keep(self) -> None:
        while not self._over.is_set():
            self._process.wait()
            if not self._over.wait(0.5):
                self._process = self._begun()
        self._process.kill()
        self._process.wait()


class Relay:
    """A port of this machine; each connection to it is the stdin and stdout of a program begun for it."""

    def __init__(self, command: Sequence[str]) -> None:
        words = list(command)

        class Connection(socketserver.BaseRequestHandler):
            """One connection and its program."""

            def handle(self) -> None:
                """Until the program ends: then its peer has hung up."""
                with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0) as program:
                    threading.Thread(target=_pour, args=(self.request, program), daemon=True).start()
                    assert program.stdout is not None
                    try:
                        while data := program.stdout.read(65536):
                            self.request.sendall(data)
                    except OSError:
                        pass  # our own side hung up
                    program.kill()

        class Server(socketserver.ThreadingTCPServer):
            daemon_threads = True

        self._server = Server(("127.0.0.1", 0), Connection)
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)

    @property
    def address(self) -> tuple[str, int]:
        """Where to connect to."""
        host, port = self._server.server_address[:2]
        return str(host), port

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()


def _pour(connection: socket.socket, program: "subprocess.Popen[bytes]") -> None:
    """What comes in at the connection goes to the program; its end too."""
    assert program.stdin is not None
    try:
        while data := connection.recv(65536):
            program.stdin.write(data)
        program.stdin.close()
    except OSError:
        program.kill()
