"""The parts of nats-py that we use, without aiohttp, which it would load for WebSockets where that is installed.

The services' images do not have it, and beside the local mesh, which does, it would be a quarter of chat's start.
"""

import sys
from types import ModuleType

# None stands for "cannot be imported" (the import system, "sys.modules").
_modules: dict[str, ModuleType | None] = sys.modules  # type: ignore[assignment]
_loaded = _modules.setdefault("aiohttp", None)

from nats import connect  # noqa: E402
from nats.aio.client import Client  # noqa: E402
from nats.aio.msg import Msg  # noqa: E402
from nats.aio.subscription import Subscription  # noqa: E402
from nats.errors import Error as NatsError  # noqa: E402

if _loaded is None:
    del _modules["aiohttp"]

__all__ = ["Client", "Msg", "NatsError", "Subscription", "connect"]
