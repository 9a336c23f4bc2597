"""Namespace, Node, ServiceAccount, ConfigMap and Secret: what pods are placed in and given."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar

from localmesh.manifests.record import Resource, empty_map


@dataclass(frozen=True, slots=True, kw_only=True)
class Namespace(Resource):
    """A Namespace document; the label `istio-injection` decides whether its pods get sidecars."""

    NO_LOCAL_MEANING: ClassVar[frozenset[str]] = frozenset({"spec", "status"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Node(Resource):
    """A Node document: its topology labels give pods their locality."""

    NO_LOCAL_MEANING: ClassVar[frozenset[str]] = frozenset({"spec", "status"})


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceAccount(Resource):
    """A ServiceAccount document: an identity in the mesh."""

    NO_LOCAL_MEANING: ClassVar[frozenset[str]] = frozenset({"secrets", "imagePullSecrets"})

    automount_service_account_token: bool | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ConfigMap(Resource):
    """A ConfigMap document."""

    NO_LOCAL_MEANING: ClassVar[frozenset[str]] = frozenset({"immutable"})

    data: Mapping[str, str] = empty_map()
    binary_data: Mapping[str, bytes] = empty_map()


@dataclass(frozen=True, slots=True, kw_only=True)
class Secret(Resource):
    """A Secret document; `data` is decoded from base64 here. Neither part is ever shown by `repr`."""

    NO_LOCAL_MEANING: ClassVar[frozenset[str]] = frozenset({"immutable"})

    type: str | None = None
    data: Mapping[str, bytes] = field(default_factory=dict, repr=False)
    string_data: Mapping[str, str] = field(default_factory=dict, repr=False)
