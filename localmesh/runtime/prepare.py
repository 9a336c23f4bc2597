"""The first start of a program with a data volume: a database made, its roles and databases in it, all or nothing."""

from localmesh.errors import MeshError
from localmesh.runtime import process
from localmesh.runtime.podplan import Prepare, Step
from localmesh.runtime.volumes import Mark

_STEP_WITHIN = 120.0


async def prepare(plan: Prepare) -> None:
    """Prepare the volume if it is new, or if an earlier preparation was cut short. MeshError if a step fails."""
    mark = Mark(plan.volume)
    if not mark.begin():
        return
    for step in plan.steps:
        await process.run(step.launch, _input(step), within=_STEP_WITHIN)
    mark.end()


def _input(step: Step) -> str:
    if step.stdin_file is None:
        return step.stdin
    try:
        return step.stdin_file.read_text()
    except OSError as error:
        raise MeshError(f"{step.stdin_file} cannot be read: {error.strerror}", "see the volumes of the pod") from error
