"""Every name of the generated configuration, as istiod writes it, so that `istioctl proxy-config` habits hold here.

Sources: istio/pkg `model/service.go` (BuildSubsetKey, BuildDNSSrvSubsetKey) and the names istiod 1.30.3's own output.
"""

from localmesh.mesh.routes import Target

BLACK_HOLE = "BlackHoleCluster"
PASSTHROUGH = "PassthroughCluster"
# The cluster of a target that must not be called: there is none of this name.
UNKNOWN_SERVICE = "UnknownService"
INBOUND_PASSTHROUGH = "InboundPassthroughCluster"
VIRTUAL_INBOUND = "virtualInbound"
VIRTUAL_OUTBOUND = "virtualOutbound"
VIRTUAL_INBOUND_PORT = 15006
VIRTUAL_OUTBOUND_PORT = 15001

# How names of credentials from Kubernetes Secrets begin; `kubernetes-gateway://` are those of the Gateway API.
KUBERNETES = "kubernetes"

# Secrets of the workload itself, and the static cluster that serves all secrets.
WORKLOAD_SECRET = "default"  # noqa: S105 - the name of a secret, not one
ROOT_SECRET = "ROOTCA"  # noqa: S105
SDS_CLUSTER = "sds-grpc"
XDS_CLUSTER = "xds-grpc"


# The target of a call that is let through to wherever it was going.
ELSEWHERE = Target(PASSTHROUGH, 0)


def outbound_cluster(host: str, port: int, subset: str = "") -> str:
    """`outbound|50051|v1|user.mesh.svc.cluster.local`."""
    return f"outbound|{port}|{subset}|{host}"


def target_cluster(target: Target) -> str:
    """The outbound cluster of a route's target."""
    if target == ELSEWHERE:
        return PASSTHROUGH
    if not target.host:
        return UNKNOWN_SERVICE
    return outbound_cluster(target.host, target.port, target.subset)


def inbound_cluster(port: int) -> str:
    """`inbound|50051||`."""
    return f"inbound|{port}||"


def sni(host: str, port: int, subset: str = "") -> str:
    """The server name that a client's sidecar sends: `outbound_.50051_.v1_.user.mesh.svc.cluster.local`."""
    return f"outbound_.{port}_.{subset}_.{host}"


def stat_name(cluster: str) -> str:
    """Statistics name of a cluster: the semicolon ends it, since clusters' names hold dots."""
    return f"{cluster};"


def listener(address: str, port: int) -> str:
    """`0.0.0.0_50051`."""
    return f"{address}_{port}"


def dial_listener(host: str, port: int) -> str:
    """The captured listener at a sidecar that stands for one name (localmesh's own; the cluster has none)."""
    return f"dial|{port}|{host}"


def dial_routes(host: str, port: int) -> str:
    """The route table of a captured listener, which holds one virtual host (localmesh's own)."""
    return f"dial|{port}|{host}"


def rbac_policy(namespace: str, name: str, rule: int) -> str:
    """`ns[mesh]-policy[user]-rule[0]`."""
    return f"ns[{namespace}]-policy[{name}]-rule[{rule}]"


def custom_rule(provider: str) -> str:
    """`istio-ext-authz-opa`: how the names of the rules begin for which a provider is asked."""
    return f"istio-ext-authz-{provider}"


def gateway_secret(credential_name: str) -> str:
    """`kubernetes://app-cert`; a name that says where it comes from stays as it is."""
    return credential_name if "://" in credential_name else f"kubernetes://{credential_name}"


def gateway_ca_secret(credential_name: str) -> str:
    """`kubernetes://app-cert-cacert`: the CA certificates of the same credential."""
    return f"{gateway_secret(credential_name)}-cacert"


def file_secret(certificate: str, private_key: str) -> str:
    """`file-cert:<certificate>~<key>`: a certificate and key in files."""
    return f"file-cert:{certificate}~{private_key}"


def file_root(ca_certificates: str) -> str:
    """`file-root:<file>`: CA certificates in a file; `system` stands for the machine's own."""
    return f"file-root:{ca_certificates}"
