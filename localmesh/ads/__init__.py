"""Carries snapshots to the proxies, and says when each of them has acknowledged."""

from localmesh.ads.server import DiscoveryServer, Publication, Refused
from localmesh.ads.session import Nack

__all__ = ["DiscoveryServer", "Nack", "Publication", "Refused"]
