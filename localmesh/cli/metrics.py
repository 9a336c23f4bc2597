"""`localmesh metrics`: the metrics of the whole mesh, once or for a Prometheus."""

import asyncio
import signal
from pathlib import Path

import click
from aiohttp import web

from localmesh.control.client import connected
from localmesh.control.control_pb2 import GetStatusRequest, Status
from localmesh.control.figures import own, targets
from localmesh.errors import MeshError
from localmesh.observe.exposition import merged
from localmesh.observe.metrics import scrape
from localmesh.runtime import addresses, dirs

TEXT_FORMAT = "text/plain; version=0.0.4; charset=utf-8"


@click.command()
@click.option("--listen", metavar="ADDRESS:PORT", help="Serve /metrics there until Ctrl-C, as 127.0.0.1:9090.")
@click.pass_obj
def metrics(state: Path, listen: str | None) -> None:
    """The metrics of every app and every Envoy, each with its pod's labels, and localmesh's own; in Prometheus' format.

    A program that does not answer is `up 0`. Of Envoy's statistics those are told that docs/metrics.md lists.

    \b
      localmesh metrics | grep grpc_server_handled_total
      localmesh metrics --listen 127.0.0.1:9090     # scrape_configs: [{static_configs: [{targets: [127.0.0.1:9090]}]}]
    """
    socket = dirs.of(state).socket("control")
    if listen is None:
        click.echo(asyncio.run(page(_status(socket))), nl=False)
    else:
        asyncio.run(_serve(socket, *addresses.split(listen)))


async def page(status: Status) -> str:
    """One page with everything."""
    return merged([*own(status), *await scrape(targets(status))])


def _status(socket: Path) -> Status:
    with connected(socket) as mesh:
        return mesh.GetStatus(GetStatusRequest())


async def _serve(socket: Path, host: str, port: int) -> None:
    async def answer(request: web.Request) -> web.Response:
        try:
            status = await asyncio.to_thread(_status, socket)
        except MeshError as error:
            raise web.HTTPServiceUnavailable(text=f"{error}\n") from error
        return web.Response(body=(await page(status)).encode(), headers={"Content-Type": TEXT_FORMAT})

    ended = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, ended.set)
    app = web.Application()
    app.router.add_get("/metrics", answer)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    try:
        await web.TCPSite(runner, host, port).start()
        click.echo(f"http://{host}:{port}/metrics until Ctrl-C")
        await ended.wait()
    except OSError as error:
        raise MeshError(f"{host}:{port} cannot be opened: {error.strerror}", "another --listen ADDRESS:PORT") from error
    finally:
        await runner.cleanup()
