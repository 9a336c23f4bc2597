"""What a port speaks. See Istio's "Protocol Selection"; the rules are those of istiod's kube.ConvertProtocol."""

from localmesh.mesh.identity import Protocol

BY_NAME = {each.value: each for each in Protocol if each.value}
KUBERNETES_NAMES = {
    "kubernetes.io/h2c": Protocol.HTTP2,
    "kubernetes.io/ws": Protocol.HTTP,
    "kubernetes.io/wss": Protocol.HTTPS,
}
# Servers that speak first: SMTP, DNS, MySQL, MongoDB. Sniffing them would wait forever.
SERVER_FIRST = {25, 53, 3306, 27017}


def protocol_of(number: int, name: str, transport: str = "TCP", app_protocol: str | None = None) -> Protocol:
    """By appProtocol, else by the name up to its first hyphen; unknown names are sniffed."""
    if transport == "UDP":
        return Protocol.UDP
    if app_protocol in KUBERNETES_NAMES:
        return KUBERNETES_NAMES[app_protocol]
    protocol = parse(app_protocol if app_protocol is not None else name)
    if protocol is Protocol.UNKNOWN and number in SERVER_FIRST:
        return Protocol.TCP
    return protocol


def parse(text: str) -> Protocol:
    """`grpc-web-x`, `http-metrics`, `TCP`; UNKNOWN if Istio knows no such protocol."""
    lowered = text.lower()
    if lowered.startswith("grpc-web"):
        return Protocol.GRPC_WEB
    return BY_NAME.get(lowered.partition("-")[0], Protocol.UNKNOWN)
