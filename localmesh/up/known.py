"""Which pod or workload a person means by a name."""

from collections.abc import Sequence
from difflib import get_close_matches

from localmesh.errors import MeshError


def known(name: str, keys: Sequence[str], kind: str) -> str:
    """The key `namespace/name` that `name` means, with or without its namespace. Raises MeshError."""
    found = [key for key in keys if name in (key, key.partition("/")[2])]
    if len(found) == 1:
        return found[0]
    if found:
        raise MeshError(f"{name} may be {' or '.join(found)}", "name its namespace too")
    near = get_close_matches(name, [key.partition("/")[2] for key in keys], n=1)
    raise MeshError(f"there is no {kind} {name}", f"did you mean {near[0]}?" if near else f"one of {', '.join(keys)}")
