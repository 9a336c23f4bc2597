"""stdin and stdout as a TCP connection: how a test outside a cluster dials a pod from where nothing is captured.

python -m tests.mesh.lab.relay HOST PORT
"""

import os
import socket
import sys
import threading


def relay(host: str, port: int) -> None:
    """Until the peer hangs up."""
    with socket.create_connection((host, port), timeout=10) as connection:
        connection.settimeout(None)

        def send() -> None:
            while data := os.read(0, 65536):
                connection.sendall(data)
            connection.shutdown(socket.SHUT_WR)

        threading.Thread(target=send, daemon=True).start()
        while data := connection.recv(65536):
            os.write(1, data)


if __name__ == "__main__":
    try:
        relay(sys.argv[1], int(sys.argv[2]))
    except ConnectionError:
        sys.exit(1)
