"""The tour, from its first chapter to its last."""

import asyncio
import os
import signal

from rich.table import Table

from clients import caller
from clients.demo import canary, edit, loss, people, talk, trip
from clients.demo.cluster import ClusterMesh
from clients.demo.local import LocalMesh
from clients.demo.mesh import Mesh
from clients.demo.story import Story
from clients.demo.weights import Weights
from clients.failure import Failure
from deploy.kind.settings import Settings

POLICY = "istio/user.yaml"


async def given(story: Story, target: str) -> None:
    """All chapters. Raises BrokenPromise at the first promise that does not hold."""
    _leave_cleanly()
    mesh = await _running()
    policy = await mesh.policy_file(POLICY)
    story.chapter("Who is here")
    await _pods(story, mesh)
    ada = await caller.ensured(target, "ada")
    async with caller.operator(target) as operator:
        story.chapter(f"{people.COUNT} guests arrive")
        await people.invited(story, operator)
        story.chapter("The guest list")
        await people.listed(story, operator)
        async with caller.person(target, "ada") as hers, caller.person(target, "bob") as his:
            story.chapter("Ada and Bob talk")
            await talk.talked(story, hers, his)
            story.chapter("A file goes there and back")
            await trip.there_and_back(story, hers)
        story.chapter("A canary gets its share")
        await canary.counted(story, operator, ada.id, Weights.of(policy.read_text()))
        story.chapter("A replica dies, and nobody notices")
        await loss.survived(story, operator, mesh, ada.id)
        story.chapter(f"A policy is edited: {policy}")
        await edit.in_force(story, operator, mesh, ada.id, policy)
    story.console.print()
    story.say("That was the tour. Try it yourself: edit a file under deploy/istio while `make chat USER=you` runs.")


async def _running() -> Mesh:
    """The mesh on this machine; where none runs, the one on a kind cluster. Raises Failure if there is neither."""
    local, cluster = LocalMesh(), ClusterMesh(Settings.read(os.environ).context)
    try:
        await local.pods()
    except Failure:
        if await cluster.reachable():
            return cluster
        raise
    return local


async def _pods(story: Story, mesh: Mesh) -> None:
    table = Table(box=None, pad_edge=False)
    for column in ("   pod", "address", "state"):
        table.add_column(column)
    found = await mesh.pods()
    for pod in found:
        table.add_row(f"   {pod.name}", pod.address, pod.state)
    story.console.print(table)
    waiting = [pod.name for pod in found if not pod.ready]
    story.hold(bool(found) and not waiting, "every pod is ready, each with an Envoy of its own", f"{len(found)} pods")


def _leave_cleanly() -> None:
    """A closed terminal and a polite kill end the tour as Ctrl-C does: what was changed is given back first."""
    task = asyncio.current_task()
    assert task is not None
    for number in (signal.SIGTERM, signal.SIGHUP):
        asyncio.get_running_loop().add_signal_handler(number, task.cancel)
