"""Loopback addresses that tests may open ports on, while other runs of the same tests go on beside them."""

import os

# Of this test process alone: 127.9.x.y, with ports below those that the kernel hands out.
OWN = f"127.9.{1 + os.getpid() // 250 % 250}.{1 + os.getpid() % 250}"
