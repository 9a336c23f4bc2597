"""Apps and Envoys are asked for their metrics on Unix sockets; one that is down is `up 0`."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

from aiohttp import web

from localmesh.observe.exposition import merged
from localmesh.observe.kept import FILTER
from localmesh.observe.metrics import MOST_BYTES, Target, scrape


@asynccontextmanager
async def _served(
    path: Path, route: str, answer: Callable[[web.Request], Awaitable[web.Response]]
) -> AsyncIterator[Target]:
    app = web.Application()
    app.router.add_get(route, answer)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.UnixSite(runner, str(path)).start()
    try:
        yield Target("mesh", path.stem, "user", "app", path)
    finally:
        await runner.cleanup()


def _says(text: str) -> Callable[[web.Request], Awaitable[web.Response]]:
    async def answer(_: web.Request) -> web.Response:
        return web.Response(text=text)

    return answer


async def test_each_sample_is_told_with_its_pod_and_who_answers_is_up(tmp_path: Path) -> None:
    async with (
        _served(tmp_path / "a", "/metrics", _says("# TYPE x counter\nx 1\n")) as a,
        _served(tmp_path / "b", "/metrics", _says("# TYPE x counter\nx 2\n")) as b,
    ):
        page = merged(await scrape([a, b]))
    labels = 'namespace="mesh",pod="{}",workload="user",container="app"'
    for pod, value in (("a", 1), ("b", 2)):
        assert f"x{{{labels.format(pod)}}} {value}\n" in page
        assert f"up{{{labels.format(pod)}}} 1\n" in page
    assert page.count("# TYPE x counter") == 1


async def test_who_does_not_answer_answers_with_an_error_or_too_much_is_down_and_disturbs_nobody(
    tmp_path: Path,
) -> None:
    async def fails(_: web.Request) -> web.Response:
        raise web.HTTPInternalServerError

    async with (
        _served(tmp_path / "well", "/metrics", _says("x 1\n")) as well,
        _served(tmp_path / "broken", "/metrics", fails) as broken,
        _served(tmp_path / "endless", "/metrics", _says("x 1\n" * (MOST_BYTES // 4 + 1))) as endless,
    ):
        gone = replace(well, pod="gone", socket=tmp_path / "gone")
        page = merged(await scrape([well, broken, endless, gone]))
    up = {line.split('pod="')[1].split('"')[0]: line[-1] for line in page.splitlines() if line.startswith("up{")}
    assert up == {"well": "1", "broken": "0", "endless": "0", "gone": "0"}
    assert [line[-1] for line in page.splitlines() if line.startswith("x{")] == ["1"]


async def test_an_envoy_is_asked_for_the_statistics_that_are_kept(tmp_path: Path) -> None:
    asked: list[str] = []

    async def answer(request: web.Request) -> web.Response:
        asked.append(request.query["filter"])
        return web.Response(text="envoy_server_live 1\n")

    async with _served(tmp_path / "a", "/stats/prometheus", answer) as target:
        page = merged(await scrape([replace(target, container="envoy")]))
    assert asked == [FILTER]
    assert 'container="envoy"} 1' in page
