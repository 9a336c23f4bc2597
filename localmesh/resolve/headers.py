"""Header operations. A `Host` or `:authority` that is set is no header but the authority of the request."""

from localmesh.manifests.istio.virtual_service import HeaderOperations
from localmesh.mesh.routes import HeaderOps

AUTHORITY = {"host", ":authority"}


def header_ops(written: HeaderOperations | None) -> HeaderOps:
    """As written, in the order of the names."""
    if written is None:
        return HeaderOps()
    return HeaderOps(tuple(sorted(written.set.items())), tuple(sorted(written.add.items())), written.remove)


def joined(first: HeaderOps, second: HeaderOps) -> HeaderOps:
    """Both, one after the other."""
    return HeaderOps(first.set + second.set, first.add + second.add, first.remove + second.remove)


def without_authority(ops: HeaderOps) -> tuple[HeaderOps, str | None]:
    """The operations on true headers, and the authority that is set with them, if any."""
    authority = next((value for name, value in ops.set if name.lower() in AUTHORITY), None)
    kept = tuple(each for each in ops.set if each[0].lower() not in AUTHORITY)
    return HeaderOps(kept, ops.add, ops.remove), authority
