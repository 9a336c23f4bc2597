"""What a site changes, from the environment: the variables are the names in capitals."""

import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Self

ROOT = Path(__file__).resolve().parents[2]
# Without `kind` a volume would tie a store to a worker; the others are what traces and metrics need. Pages with images
# of further sites, grafana and kiali, are asked for by name.
DEFAULT_COMPONENTS = "kind jaeger prometheus"
# What Istio 1.30 is tested with.
GATEWAY_API = "https://github.com/kubernetes-sigs/gateway-api/releases/download/v1.5.0/standard-install.yaml"


@dataclass(frozen=True, slots=True)
class Settings:
    """One cluster and how it is made."""

    cluster: str
    kind_node_image: str  # empty: kind's own choice
    kind_config: Path
    istio_args: tuple[str, ...]  # further -f and --set for istioctl
    image_tag: str
    docker_build_args: tuple[str, ...]
    skip_pull: bool  # nothing is pulled: what docker has is loaded, and what it has not must be on the nodes
    components: tuple[str, ...]  # folders of deploy/components and deploy/observability
    gateway_api: str  # file or address of the Gateway API's definitions, for the components that need them
    port: int  # of 127.0.0.1, for the way that is opened; 0: its own

    @classmethod
    def read(cls, environ: Mapping[str, str]) -> Self:
        """An empty variable counts as missing. Raises ValueError if a text has an open quote or PORT is no number."""

        def text(name: str, default: str = "") -> str:
            return environ.get(name, "").strip() or default

        return cls(
            cluster=text("CLUSTER", "localmesh"),
            kind_node_image=text("KIND_NODE_IMAGE"),
            kind_config=Path(text("KIND_CONFIG", str(ROOT / "deploy" / "kind-config.yaml"))),
            istio_args=tuple(shlex.split(text("ISTIO_ARGS"))),
            image_tag=text("IMAGE_TAG", "0.1.0"),
            docker_build_args=tuple(shlex.split(text("DOCKER_BUILD_ARGS"))),
            skip_pull=text("SKIP_PULL").lower() not in {"", "0", "no", "false"},
            components=tuple(text("COMPONENTS", DEFAULT_COMPONENTS).replace(",", " ").split()),
            gateway_api=text("GATEWAY_API", GATEWAY_API),
            port=_port(text("PORT", "0")),
        )

    @property
    def context(self) -> str:
        """The kubeconfig's name for this cluster, as kind gives it."""
        return f"kind-{self.cluster}"

    @property
    def work(self) -> Path:
        """Where what is generated for this cluster is written."""
        return ROOT / "build" / "kind" / self.cluster


def _port(written: str) -> int:
    if not (written.isdecimal() and int(written) < 65536):
        raise ValueError(f"PORT is no port: {written}")
    return int(written)
