"""Who sees which services."""

from collections.abc import Mapping
from functools import cached_property

from localmesh.mesh.services import Service
from localmesh.resolve.selection import is_exported
from localmesh.resolve.services import Registered


class Visibility:
    """All services of the mesh, and those that a namespace sees."""

    def __init__(self, registered: tuple[Registered, ...]) -> None:
        self.registered = registered
        self._seen: dict[str, Mapping[str, Service]] = {}

    @cached_property
    def by_host(self) -> Mapping[str, Service]:
        """All of them."""
        return {each.service.host: each.service for each in self.registered}

    def of(self, namespace: str) -> Mapping[str, Service]:
        """Those that a namespace sees, by host."""
        if namespace not in self._seen:
            self._seen[namespace] = {
                each.service.host: each.service
                for each in self.registered
                if is_exported(each.export_to, each.service.namespace, namespace)
            }
        return self._seen[namespace]
