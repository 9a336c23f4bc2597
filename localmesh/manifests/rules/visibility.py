"""exportTo: which namespaces see a VirtualService, a DestinationRule or a ServiceEntry."""

from collections.abc import Iterator

from localmesh.errors import Problem, Where
from localmesh.manifests.rules.names import is_label


def problems(
    export_to: tuple[str, ...], namespace: str, where: Where, *, nobody: bool = False, selector: bool = False
) -> Iterator[Problem]:
    """What is wrong with an exportTo. `nobody` allows "~"; `selector`: a DestinationRule's with workloadSelector."""
    names = [namespace if each == "." else each for each in export_to]
    if len(set(names)) < len(names):
        yield Problem(where, "exportTo names a namespace twice", f'"." is {namespace}')
    for each in set(names):
        if each not in {"*", "."} and not is_label(each) and not (nobody and each == "~"):
            yield Problem(where, f'"{each}" is not a namespace, "." or "*"')
    if "*" in names and len(names) > 1:
        yield Problem(where, 'exportTo has "*" (all namespaces) beside others', "leave one of them out")
    if "~" in names and len(names) > 1:
        yield Problem(where, 'exportTo has "~" (nobody) beside others', "leave one of them out")
    if selector and names and names != [namespace]:
        what = "a DestinationRule with a workloadSelector holds in its own namespace only"
        yield Problem(where, what, 'leave exportTo out, or write ["."]')
