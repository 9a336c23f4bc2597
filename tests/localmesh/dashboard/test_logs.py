"""Log lines: the last ones, then what is added, however the files change."""

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from localmesh.dashboard.logs import Line, files, in_time
from localmesh.dashboard.server import FEED, LOG_LINES, MOST_STREAMS, STREAMS
from tests.kit import eventually
from tests.localmesh.dashboard.serving import dashboard


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The logs of a mesh that is down."""
    made = tmp_path / "logs"
    made.mkdir()
    (made / "mesh.user-0.user.log").write_text("2026-11-22T10:00:01.0Z one\n2026-11-22T10:00:03.0Z three\n")
    (made / "mesh.user-0.envoy.log").write_text("[2026-11-22 10:00:02.000] two\n  more of two\n")
    (made / "mesh.user-01.user.log").write_text("another pod\n")
    (made / "localmesh.log").write_text("started\n")
    return made


async def events(answer: aiohttp.ClientResponse) -> AsyncIterator[tuple[str, Any]]:
    """The events of a stream."""
    name = ""
    async for line in answer.content:
        text = line.decode().rstrip("\n")
        if text.startswith("event: "):
            name = text.removeprefix("event: ")
        elif text.startswith("data: "):
            yield name, json.loads(text.removeprefix("data: "))


def test_a_pods_files_are_its_own(folder: Path) -> None:
    assert [file.name for file in files(folder, "mesh/user-0")] == ["mesh.user-0.envoy.log", "mesh.user-0.user.log"]
    assert [file.name for file in files(folder, "localmesh")] == ["localmesh.log"]
    assert files(folder, "../../etc/passwd") == []


async def test_the_last_lines_come_in_the_order_of_their_times_and_then_what_is_added(folder: Path) -> None:
    async with dashboard(folder.parent) as (client, _), client.get("/api/logs/mesh/user-0") as answer:
        assert answer.content_type == "text/event-stream"
        said = events(answer)
        name, lines = await anext(said)
        assert name == "first"
        assert [line["text"].split()[-1] for line in lines] == ["one", "two", "two", "three"]
        with (folder / "mesh.user-0.user.log").open("a") as file:
            file.write("four, not whole yet")
            file.flush()
            file.write(": now it is\n")
        assert await anext(said) == ("lines", [{"program": "user", "text": "four, not whole yet: now it is"}])


async def test_a_program_that_is_started_later_is_followed_too(folder: Path) -> None:
    async with dashboard(folder.parent) as (client, _), client.get("/api/logs/mesh/new-0") as answer:
        said = events(answer)
        assert await anext(said) == ("first", [])
        (folder / "mesh.new-0.app.log").write_text("hello\n")
        assert await anext(said) == ("lines", [{"program": "app", "text": "hello"}])


async def test_no_more_than_the_last_lines_come_first(folder: Path) -> None:
    (folder / "mesh.user-0.user.log").write_text("".join(f"2026-11-22T10:00:05.0Z {n}\n" for n in range(1000)))
    async with dashboard(folder.parent) as (client, _), client.get("/api/logs/mesh/user-0") as answer:
        _, lines = await anext(events(answer))
    assert len(lines) == LOG_LINES
    assert lines[-1]["text"].endswith(" 999")


async def test_a_stream_ends_when_its_client_goes(folder: Path) -> None:
    async with dashboard(folder.parent) as (client, app):
        async with client.get("/api/mesh") as mesh, client.get("/api/logs/mesh/user-0") as logs:
            await anext(events(mesh))
            await anext(events(logs))
            assert len(app[STREAMS]) == 2
            assert app[FEED].viewers == 1
        await eventually(lambda: not app[STREAMS], what="both streams have ended")
        assert not app[FEED].reads


async def test_more_streams_than_a_person_needs_are_refused(folder: Path) -> None:
    async with dashboard(folder.parent) as (client, _):
        open_ = [await client.get("/api/logs/localmesh") for _ in range(MOST_STREAMS)]
        assert {answer.status for answer in open_} == {200}
        assert (await client.get("/api/logs/localmesh")).status == 503
        for answer in open_:
            answer.close()

        async def again() -> bool:
            async with client.get("/api/logs/localmesh") as answer:
                return answer.status == 200

        await eventually(again, what="there is room again")


def test_a_line_without_a_time_stays_with_the_one_before_it_of_its_program() -> None:
    lines = [
        Line("a", "2026-11-22T10:00:02Z first of a"),
        Line("a", "  its traceback"),
        Line("b", "2026-11-22T10:00:01Z first of b"),
        Line("b", "2026-11-22T10:00:03Z second of b"),
    ]
    assert [line.text.strip()[-9:] for line in in_time(lines)] == ["irst of b", "irst of a", "traceback", "cond of b"]


def test_each_programs_way_to_write_the_time_is_known() -> None:
    written = [
        Line("envoy", '{"authority":"user","time":"2026-11-22T10:00:05.000Z"}'),
        Line("app", '{"time": "2026-11-22T10:00:01.500+00:00", "event": "ready"}'),
        Line("nats", "[2675] 2026/11/22 10:00:03.206733 [INF] Starting"),
        Line("postgres", "2026-11-22 10:00:02.812 UTC [2562] LOG:  listening"),
        Line("envoy", "[2026-11-22 10:00:04.088][2259][warning][main] no limit"),
    ]
    assert [line.program for line in in_time(written)] == ["app", "postgres", "nats", "envoy", "envoy"]


async def test_the_lines_of_a_trace_come_from_all_pods(folder: Path) -> None:
    trace = "4bf92f3577b34da6a3ce929d0e0e4736"
    for pod, second in (("user-0.user", 2), ("chat-0.chat", 1)):
        with (folder / f"mesh.{pod}.log").open("a") as file:
            file.write(json.dumps({"time": f"2026-11-22T10:00:0{second}Z", "trace_id": trace}) + "\n")
    async with dashboard(folder.parent) as (client, _), client.get(f"/api/traces/{trace}/logs") as answer:
        assert [(line["pod"], line["program"]) for line in await answer.json()] == [
            ("chat-0", "chat"),
            ("user-0", "user"),
        ]
