"""What names, hosts and addresses look like: DNS labels and domains, label keys and values, IPs and CIDR blocks.

Each function gives what is wrong with a text, or None. The rules are those of istiod's validation (RFC 1123 labels,
letters of either case; a wildcard only as, or at the head of, the first label).
"""

import ipaddress
import re

_LABEL = re.compile(r"[a-zA-Z0-9](?:[-a-zA-Z0-9]*[a-zA-Z0-9])?")
_WILDCARD_LABEL = re.compile(r"\*|(?:\*-?)?[a-zA-Z0-9](?:[-a-zA-Z0-9]*[a-zA-Z0-9])?")
_QUALIFIED = re.compile(r"(?:[A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]")
_LONGEST_LABEL, _LONGEST_DOMAIN = 63, 255


def is_label(text: str) -> bool:
    """Whether this is one DNS label."""
    return len(text) <= _LONGEST_LABEL and _LABEL.fullmatch(text) is not None


def wrong_label(text: str, noun: str) -> str | None:
    """A name that must be one DNS label, such as a namespace, a subset or a port's name."""
    if is_label(text):
        return None
    return f'"{text}" is not a {noun}: letters, digits and "-", no dot, {_LONGEST_LABEL} characters at most'


def wrong_domain(text: str) -> str | None:
    """A host name without wildcards."""
    return _length(text) or _wrong_labels(text, text)


def wrong_host(text: str) -> str | None:
    """A host name, or a wildcard one such as `*.example.com` or `*`."""
    if wrong := _length(text):
        return wrong
    first, dot, rest = text.partition(".")
    if len(first) > _LONGEST_LABEL or not _WILDCARD_LABEL.fullmatch(first):
        return f'"{text}" is not a host name: "{first}" is not a DNS label'
    return _wrong_labels(text, rest) if dot else None


def partial_wildcard(text: str) -> str | None:
    """A wildcard that is not the whole first label."""
    if "*" in text and text != "*" and not text.startswith("*."):
        return f'"{text}" has a partial wildcard: only "*" and "*.domain" are taken'
    return None


def _length(text: str) -> str | None:
    if not text:
        return "the host is empty"
    return f"the host is longer than {_LONGEST_DOMAIN} characters" if len(text) > _LONGEST_DOMAIN else None


def _wrong_labels(host: str, labels: str) -> str | None:
    parts = labels.split(".")
    if parts[-1].isdigit():
        return f'"{host}" is not a host name: its last label is a number'
    if parts[-1] == "" and len(parts) > 1:
        parts.pop()  # a trailing dot, as in `example.com.`
    wrong = next((each for each in parts if not is_label(each)), None)
    return None if wrong is None else f'"{host}" is not a host name: "{wrong}" is not a DNS label'


def wrong_scoped_host(text: str, *, gateway: bool) -> str | None:
    """`namespace/host` of a Sidecar or a Gateway server; a Gateway's may be a host alone."""
    namespace, slash, host = text.partition("/")
    if not slash:
        if gateway:
            return _wrong_scoped_part(text, gateway=True)
        return f'"{text}" has no namespace: write "./{text}", "*/{text}" or "namespace/{text}"'
    if not namespace or not host:
        return f'"{text}" is not namespace/host: one side is empty'
    anywhere = {"*", "."} if gateway else {"*", ".", "~"}
    if namespace not in anywhere and not is_label(namespace):
        return f'"{text}": "{namespace}" is not a namespace'
    return _wrong_scoped_part(host, gateway=gateway)


def _wrong_scoped_part(host: str, *, gateway: bool) -> str | None:
    if host != "*" and "." not in host:
        return f'"{host}" is a short name: write it in full, such as {host or "name"}.namespace.svc.cluster.local'
    wrong = wrong_host(host)
    if wrong and gateway and not wrong_ip(host):
        return None
    return wrong or partial_wildcard(host)


def wrong_ip(text: str) -> str | None:
    """One address."""
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return f'"{text}" is not an IP address'
    return None


def wrong_subnet(text: str) -> str | None:
    """One address, or a CIDR block; host bits may be set, as Go's netip has it."""
    if "/" not in text:
        return wrong_ip(text)
    address, _, length = text.partition("/")
    try:
        if length.isdigit():
            ipaddress.ip_network(f"{ipaddress.ip_address(address)}/{length}", strict=False)
            return None
    except ValueError:
        pass
    return f'"{text}" is not a CIDR block, such as 10.1.0.0/16'


def wrong_unix_path(path: str) -> str | None:
    """The path after `unix://`: absolute and a file, or an abstract name (`@…`)."""
    if path.startswith("@") or (path.startswith("/") and not path.endswith("/")):
        return None
    return f'"{path}" is not the absolute path of a socket'


def wrong_label_pair(key: str, value: str) -> str | None:
    """A label of a pod, as a selector or a subset names it."""
    prefix, slash, name = key.rpartition("/")
    sound = len(name) <= _LONGEST_LABEL and _QUALIFIED.fullmatch(name)
    if not sound or (slash and wrong_domain(prefix)):
        return f'"{key}" is not a label key'
    if len(value) > _LONGEST_LABEL or (value and not _QUALIFIED.fullmatch(value)):
        return f'"{value}" is not a label value'
    return None
