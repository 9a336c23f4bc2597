"""Nothing from elsewhere reaches the dashboard, and its page reaches nothing elsewhere."""

from pathlib import Path

import pytest

from localmesh.dashboard.guard import loopback
from localmesh.dashboard.server import STREAMS
from localmesh.errors import MeshError
from tests.localmesh.dashboard.serving import dashboard


@pytest.mark.parametrize("listen", ["127.0.0.1:8088", "127.3.2.1:80", "localhost:8088", "[::1]:8088"])
def test_addresses_of_this_machine_alone_are_listened_on(listen: str) -> None:
    assert loopback(listen)[1] in {80, 8088}


@pytest.mark.parametrize("listen", ["0.0.0.0:8088", "192.168.1.2:8088", "[::]:8088", "example.com:80", ":8088"])
def test_an_address_that_others_could_reach_is_refused(listen: str) -> None:
    with pytest.raises(MeshError, match="not an address of this machine alone"):
        loopback(listen)


@pytest.mark.parametrize("listen", ["127.0.0.1", "127.0.0.1:http", "127.0.0.1:99999", f"127.0.0.1:{'1' * 5000}", ""])
def test_what_is_no_address_and_port_is_refused(listen: str) -> None:
    with pytest.raises(MeshError, match="is not an address and a port"):
        loopback(listen)


@pytest.mark.parametrize("path", ["/", "/main.js", "/api/mesh", "/api/traces", "/api/logs/mesh/chat-0"])
async def test_a_foreign_name_that_leads_here_is_refused(tmp_path: Path, path: str) -> None:
    async with dashboard(tmp_path) as (client, _):
        answer = await client.get(path, headers={"Host": "attacker.example:8088"})
        assert answer.status == 403
        assert "attacker.example" in await answer.text()


@pytest.mark.parametrize("host", ["127.0.0.1:8088", "localhost:8088", "localhost", "[::1]:8088", "127.0.0.1"])
async def test_this_machines_own_names_are_answered(tmp_path: Path, host: str) -> None:
    async with dashboard(tmp_path) as (client, _):
        assert (await client.get("/", headers={"Host": host})).status == 200


@pytest.mark.parametrize("site", ["cross-site", "same-site"])
async def test_another_sites_page_gets_no_data_but_may_link_to_the_page(tmp_path: Path, site: str) -> None:
    async with dashboard(tmp_path) as (client, _):
        assert (await client.get("/api/traces", headers={"Sec-Fetch-Site": site})).status == 403
        assert (await client.get("/", headers={"Sec-Fetch-Site": site})).status == 200


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "OPTIONS"])
async def test_nothing_but_reading_is_answered(tmp_path: Path, method: str) -> None:
    async with dashboard(tmp_path) as (client, _):
        assert (await client.request(method, "/api/traces")).status == 405


async def test_a_head_of_a_stream_does_not_open_it(tmp_path: Path) -> None:
    async with dashboard(tmp_path) as (client, app):
        assert (await client.head("/api/mesh")).status == 405
        assert (await client.head("/main.js")).status == 200
        assert not app[STREAMS]


@pytest.mark.parametrize("path", ["/", "/main.js", "/nothing.js", "/api/traces", "/api/mesh", "/api/nothing"])
async def test_every_answer_forbids_the_page_to_run_or_fetch_anything_from_elsewhere(tmp_path: Path, path: str) -> None:
    async with dashboard(tmp_path) as (client, _), client.get(path) as answer:
        policy = answer.headers["Content-Security-Policy"]
        assert policy.startswith("default-src 'none'; script-src 'self'; style-src 'self'")
        assert "unsafe" not in policy
        assert "http" not in policy
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert answer.headers["Cross-Origin-Resource-Policy"] == "same-origin"
