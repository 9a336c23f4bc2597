"""The protocol names of a port, and what they say about it (istiod's pkg/config/protocol)."""

HTTP = frozenset({"http", "http2", "http_proxy", "grpc", "grpc-web"})
TLS = frozenset({"https", "tls"})
OTHER = frozenset({"tcp", "udp", "mongo", "redis", "mysql", "hbone"})
KNOWN = HTTP | TLS | OTHER


def wrong_protocol(name: str | None) -> str | None:
    """A protocol that is not known. None or empty asks for detection."""
    if not name or name.lower() in KNOWN:
        return None
    return f'"{name}" is not a protocol: one of {", ".join(sorted(each.upper() for each in KNOWN))}'


def is_http(name: str | None) -> bool:
    """Whether requests can be told apart by their headers."""
    return (name or "").lower() in HTTP


def is_tls(name: str | None) -> bool:
    """Whether connections can be told apart by the server name of their hello."""
    return (name or "").lower() in TLS
