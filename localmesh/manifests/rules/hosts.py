"""How host names with wildcards relate (istiod's pkg/config/host)."""


def host_matches(one: str, other: str) -> bool:
    """Whether the two have hosts in common: equal, or one a wildcard that covers the other."""
    return within(one, other) or within(other, one)


def within(inner: str, outer: str) -> bool:
    """Whether every host of `inner` is one of `outer`."""
    if outer.startswith("*"):
        return inner.removeprefix("*").endswith(outer[1:]) and len(inner) >= len(outer)
    return inner == outer
