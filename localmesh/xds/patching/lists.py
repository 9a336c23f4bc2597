"""Adding to, and taking from, an ordered list of filters or routes."""

from collections.abc import Callable
from typing import Any

from localmesh.mesh.patches import Change, Patch
from localmesh.xds.patching.values import value

Fits = Callable[[Any], bool]
_ALWAYS = {Change.ADD, Change.INSERT_FIRST}
_WITHOUT_NAME = {Change.INSERT_BEFORE, Change.INSERT_AFTER}


def change(items: Any, patch: Patch, fits: Fits | None) -> None:
    """Applies all changes but MERGE. `fits` says whether an item is the one that the patch names; None: it names none.

    Without a name, BEFORE is at the beginning and AFTER at the end; what is named and not there changes nothing.
    """
    made = _changed(list(items), patch, fits)
    del items[:]
    items.extend(made)


def _changed(items: list[Any], patch: Patch, fits: Fits | None) -> list[Any]:
    kind = patch.change
    if kind in _ALWAYS or (kind in _WITHOUT_NAME and fits is None):
        first = kind in {Change.INSERT_FIRST, Change.INSERT_BEFORE}
        return [value(patch), *items] if first else [*items, value(patch)]
    if kind is Change.REMOVE:
        return [one for one in items if fits is None or not fits(one)]
    at = next((index for index, one in enumerate(items) if fits and fits(one)), None)
    if at is None or kind is Change.MERGE:
        return items
    before = at + 1 if kind is Change.INSERT_AFTER else at
    after = at if kind is Change.INSERT_BEFORE else at + 1
    return [*items[:before], value(patch), *items[after:]]
