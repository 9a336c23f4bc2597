"""What a route changes on the way: headers, path and authority; and answers that it gives itself."""

import http.client
import uuid
from collections.abc import Iterator

import pytest

from tests.kit import eventually
from tests.mesh.backend import Mesh
from tests.mesh.conftest import Lab
from tests.mesh.lab.policies import HTTP_SERVER, at_edge, edge, to, virtual_service
from tests.mesh.logs import proxied


async def test_headers_change_for_the_route_and_then_for_the_destination(mesh: Mesh, lab: Lab) -> None:
    """`set` replaces, `add` appends, `remove` takes away: for requests before the app, for responses after it."""
    route = {"request": {"set": {"x-lab-set": "route"}, "remove": ["x-lab-gone"]}, "response": {"add": {"x-r": "1"}}}
    here = {"request": {"add": {"x-lab-added": "here"}}, "response": {"set": {"x-d": "2"}, "remove": ["x-r"]}}
    with mesh.policy(virtual_service({"route": [to("v2") | {"headers": here}], "headers": route})):
        sent = {"x-lab-set": "client", "x-lab-gone": "client", "x-lab-added": "client"}
        answer = await lab.call({}, headers=sent)
    assert answer["headers"]["x-lab-set"] == "route"
    assert "x-lab-gone" not in answer["headers"]
    assert answer["headers"]["x-lab-added"] == "client,here"
    assert answer["received"]["x-d"] == "2"


@pytest.mark.parametrize(
    ("match", "rewrite", "seen"),
    [
        ({"prefix": "/lab.Echo/"}, {"uri": "/lab.v2.Echo/"}, "/lab.v2.Echo/Read"),
        ({"exact": "/lab.Echo/Read"}, {"uri": "/lab.Echo/Look"}, "/lab.Echo/Look"),
        (
            {"prefix": "/lab."},
            {"uriRegexRewrite": {"match": "^/lab\\.(\\w+)/(.*)$", "rewrite": "/test.\\1/\\2"}},
            "/test.Echo/Read",
        ),
    ],
    ids=["prefix", "whole", "regex"],
)
async def test_the_app_is_asked_for_the_rewritten_path(
    mesh: Mesh, lab: Lab, match: dict[str, str], rewrite: dict[str, object], seen: str
) -> None:
    with mesh.policy(virtual_service({"match": [{"uri": match}], "rewrite": rewrite})):
        assert (await lab.call({}))["path"] == seen


async def authority_seen(mesh: Mesh, lab: Lab) -> str:
    """The authority of a call when it reached echo's sidecar, by its access log."""
    method = f"Look{uuid.uuid4().hex}"
    pod = f"lab/{(await lab.call({}, method=method))['pod']}"

    (line,) = await eventually(lambda: proxied(mesh.logs(pod), method), what=f"{method} in the access log of {pod}")
    return str(line["authority"])


async def test_the_server_is_called_by_the_name_that_was_dialed_or_as_rewritten(mesh: Mesh, lab: Lab) -> None:
    assert await authority_seen(mesh, lab) == "echo.lab.svc.cluster.local:7000"
    with mesh.policy(virtual_service({"rewrite": {"authority": "other.example"}})):
        assert await authority_seen(mesh, lab) == "other.example"


@pytest.mark.parametrize(("percent", "copies"), [(100, 5), (0, 0)])
async def test_a_mirror_gets_a_copy_of_its_share_and_its_answer_is_thrown_away(
    mesh: Mesh, lab: Lab, percent: int, copies: int
) -> None:
    """v1 answers; v2 gets a copy, which takes its time to fail."""
    key = uuid.uuid4().hex
    asked = {"key": key, "fail": "INTERNAL", "delay": 0.1, "where": "v2"}
    peek = {"match": [{"uri": {"exact": "/lab.Echo/Peek"}}], "route": [to("v2")]}
    mirrored = {"route": [to("v1")], "mirrors": [to("v2") | {"percentage": {"value": percent}}]}

    async def copied() -> int:
        return int((await lab.call({"key": key, "peek": True}, method="Peek"))["calls"])

    async def all_copied() -> bool:
        return await copied() == copies

    with mesh.policy(virtual_service(peek, mirrored)):
        assert {(await lab.call(asked))["version"] for _ in range(5)} == {"v1"}
        await eventually(all_copied, what=f"{copies} copies at v2")


# --- answers of the gateway itself, which gRPC clients do not see ----------------------------------------------------

ROUTES = (
    {
        "match": [{"uri": {"prefix": "/old/"}}],
        "redirect": {"uri": "/new/", "authority": "elsewhere.example", "redirectCode": 308},
    },
    {"match": [{"uri": {"exact": "/moved"}}], "redirect": {"scheme": "https", "port": 8443}},
    {
        "match": [{"uri": {"prefix": "/closed"}}],
        "directResponse": {"status": 418, "body": {"string": "short and stout"}},
        "headers": {"response": {"set": {"x-why": "tea"}}},
    },
    {
        "match": [{"uri": {"prefix": "/lab.Echo/"}}],
        "corsPolicy": {
            "allowOrigins": [{"exact": "https://app.example"}, {"regex": "https://.*\\.dev\\.example"}],
            "allowMethods": ["POST"],
            "allowHeaders": ["content-type", "x-grpc-web"],
            "exposeHeaders": ["grpc-status"],
            "maxAge": "24h",
            "allowCredentials": True,
        },
    },
)


@pytest.fixture(scope="class")
def edge_routes(mesh: Mesh) -> Iterator[None]:
    """ROUTES at the lab's gateway."""
    with mesh.policy(edge(HTTP_SERVER), at_edge(*ROUTES)):
        yield


async def asked(mesh: Mesh, method: str, path: str, headers: dict[str, str] | None = None) -> http.client.HTTPResponse:
    """What an HTTP/1.1 client is told. Envoy acknowledges a listener before it listens."""

    def ask() -> http.client.HTTPResponse:
        connection = http.client.HTTPConnection(mesh.edge, timeout=10)
        connection.request(method, path, headers={"Host": "shop.example"} | (headers or {}))
        return connection.getresponse()

    return await eventually(ask, what="edge answers")


@pytest.mark.usefixtures("edge_routes")
class TestAtTheEdge:
    """Under ROUTES."""

    async def test_a_redirect_names_the_new_place(self, mesh: Mesh) -> None:
        answer = await asked(mesh, "GET", "/old/book?page=1")
        assert answer.status == 308
        assert answer.getheader("location") == "http://elsewhere.example/new/?page=1"

    async def test_a_redirect_keeps_what_it_does_not_change(self, mesh: Mesh) -> None:
        answer = await asked(mesh, "GET", "/moved")
        assert answer.status == 301
        assert answer.getheader("location") == "https://shop.example:8443/moved"

    async def test_a_direct_response_is_given_without_any_app(self, mesh: Mesh) -> None:
        answer = await asked(mesh, "GET", "/closed/today")
        assert (answer.status, answer.read()) == (418, b"short and stout")
        assert answer.getheader("x-why") == "tea"

    @pytest.mark.parametrize("origin", ["https://app.example", "https://mine.dev.example"])
    async def test_a_preflight_from_an_allowed_origin_is_answered(self, mesh: Mesh, origin: str) -> None:
        preflight = {"Origin": origin, "Access-Control-Request-Method": "POST"}
        answer = await asked(mesh, "OPTIONS", "/lab.Echo/Read", preflight)
        assert answer.status == 200
        told = {name.lower(): value for name, value in answer.getheaders()}
        assert told["access-control-allow-origin"] == origin
        assert told["access-control-allow-methods"] == "POST"
        assert told["access-control-allow-headers"] == "content-type,x-grpc-web"
        assert told["access-control-max-age"] == "86400"
        assert told["access-control-allow-credentials"] == "true"

    async def test_a_preflight_from_elsewhere_is_told_of_no_permission(self, mesh: Mesh) -> None:
        preflight = {"Origin": "https://evil.example", "Access-Control-Request-Method": "POST"}
        answer = await asked(mesh, "OPTIONS", "/lab.Echo/Read", preflight)
        assert answer.getheader("access-control-allow-origin") is None
