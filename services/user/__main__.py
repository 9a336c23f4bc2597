"""`python -m services.user` runs the user service: settings -> wiring -> serve."""

import gc

gc.disable()  # what is imported stays: looking for garbage among it would be a tenth of the start

import asyncio
import os

from services.common import logs
from services.common.settings import or_exit
from services.user.server import load, run


def main() -> None:
    """Until SIGTERM; exits with 2 if the environment is not usable."""
    gc.freeze()
    gc.enable()
    settings = or_exit(lambda: load(os.environ))
    server = settings.server
    with logs.to_stdout(level=server.log_level, pod=server.pod_name, version=server.pod_version):
        asyncio.run(run(settings))


if __name__ == "__main__":
    main()
