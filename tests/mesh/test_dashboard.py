"""`localmesh dashboard` in a real browser, on the mesh of all these tests: what a person sees, clicks and types."""

import asyncio
import re
import signal
import sys
import uuid
from asyncio.subprocess import PIPE
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import grpc
import pytest
from playwright.async_api import Browser, Locator, Page, expect

from protos.chat.v1.chat_pb2 import SendMessageRequest
from tests.browser import chromium, opened
from tests.kit import Limit
from tests.mesh.backend import Mesh
from tests.mesh.conftest import Somebody
from tests.mesh.local import ROOT, LocalMesh, write

pytestmark = pytest.mark.local("a cluster has Jaeger, Grafana and kubectl")
expect.set_options(timeout=Limit.STARTED.value * 1000)
ENTER, ESCAPE, TAB = "Enter", "Escape", "Tab"


@pytest.fixture(scope="module")
async def address(mesh: Mesh) -> AsyncIterator[str]:
    """The page of the mesh, from a dashboard that ends clean."""
    assert isinstance(mesh, LocalMesh)
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "localmesh", "--state", str(mesh.state), "dashboard", "--listen", "127.0.0.1:0"),
        cwd=ROOT,
        stdout=PIPE,
    )
    assert process.stdout
    try:
        line = await asyncio.wait_for(process.stdout.readline(), Limit.STARTED.value)
        yield line.decode().split()[0]
    finally:
        process.send_signal(signal.SIGINT)
        assert await asyncio.wait_for(process.wait(), Limit.SOON.value) == 0


@pytest.fixture(scope="module")
async def browser() -> AsyncIterator[Browser]:
    """One for all tests here."""
    async with chromium() as running:
        yield running


@pytest.fixture
async def page(browser: Browser, address: str) -> AsyncIterator[Page]:
    """The page, just opened."""
    async with opened(browser, address) as page:
        yield page


async def said(somebody: Somebody) -> str:
    """Says something in a room of its own, and returns the room."""
    room = f"room-{uuid.uuid4().hex[:8]}"
    request = SendMessageRequest(room=room, text="hello", message_id=str(uuid.uuid4()))
    await somebody.chat.SendMessage(request, metadata=somebody.metadata, timeout=10)
    return room


async def denied(channel: grpc.aio.Channel, somebody: Somebody) -> str:
    """Calls what no policy allows, and returns its name."""
    name = f"Forbidden{uuid.uuid4().hex[:8]}"
    call = channel.unary_unary(f"/lab.Nobody/{name}", request_serializer=bytes, response_deserializer=bytes)
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await call(b"", metadata=somebody.metadata, timeout=10)
    assert refused.value.code() is grpc.StatusCode.PERMISSION_DENIED
    return name


@asynccontextmanager
async def talking(somebody: Somebody) -> AsyncIterator[None]:
    """Somebody talks on and on, meanwhile; every call comes to its end."""
    enough = asyncio.Event()

    async def talk() -> None:
        while not enough.is_set():
            await said(somebody)

    task = asyncio.create_task(talk())
    try:
        yield
    finally:
        enough.set()
        await task


def arrow(page: Page, source: str, target: str) -> Locator:
    """The arrow between two workloads of the namespace mesh."""
    return page.get_by_role("link", name=f"mesh/{source} calls mesh/{target}:")


async def test_an_arrow_shows_its_calls_and_leads_to_their_traces_waterfall_and_logs(
    page: Page, somebody: Somebody
) -> None:
    calls = arrow(page, "gateway", "chat")
    async with talking(somebody):
        # A rate, and how long half of the calls took; and the connections are what STRICT demands.
        name = re.compile(r": (0\.[1-9]|[1-9]).* calls a second, 0 % errors, half within \d.*mutual TLS")
        await expect(calls).to_have_accessible_name(name)
        await expect(calls).to_contain_text("/s")
    await calls.click()
    await expect(page).to_have_url(re.compile(r"#/traces\?from=mesh%2Fgateway&to=mesh%2Fchat$"))
    traces = page.get_by_role("link", name="ChatService/SendMessage")
    await traces.first.click()
    spans = page.get_by_role("list", name="Spans").get_by_role("listitem")
    for who in (r"^gateway-0 gateway", r"^chat-\d sidecar in", r"^chat-\d server", r"^user-v\d-\d sidecar in"):
        await expect(spans.filter(has=page.get_by_label(re.compile(who))).first).to_be_visible()
    lines = page.get_by_role("list", name="Log lines of this trace")
    for said_by in (r"gateway-0 envoy", r"chat-\d chat\s*served ChatService/SendMessage OK", r"user-v\d-\d user"):
        await expect(lines.get_by_role("listitem").filter(has_text=re.compile(said_by)).first).to_be_visible()


async def test_a_denied_call_leads_to_the_rule_that_did_not_allow_it(
    page: Page, channel: grpc.aio.Channel, somebody: Somebody
) -> None:
    name = await denied(channel, somebody)
    await page.get_by_role("link", name="Traces", exact=True).click()
    await page.get_by_label("errors").check()
    await page.get_by_role("link", name=re.compile(f"{name}.*PERMISSION_DENIED")).click()
    why = page.get_by_role("region", name="Why it was denied")
    await expect(why).to_contain_text(f"mesh/gateway-0 refused /lab.Nobody/{name}: no rule allows it")
    await why.get_by_role("link", name="AuthorizationPolicy mesh/gateway,").click()
    await expect(page).to_have_url(re.compile(r"#/policies/.*security\.yaml%3A\d+$"))
    rule = page.locator(".found")
    await expect(rule).to_be_in_viewport()
    await expect(rule).to_contain_text("/user.v1.UserService/*")


async def test_the_page_is_walked_by_keyboard_alone(page: Page, somebody: Somebody) -> None:
    async def tab_to(target: Locator) -> None:
        await expect(target.first).to_be_visible()
        for _ in range(120):
            await page.keyboard.press(TAB)
            # Any of them: what arrives meanwhile may have come before the first.
            if await target.evaluate_all("(elements) => elements.includes(document.activeElement)"):
                return
        raise AssertionError(f"no Tab leads to {target}")

    await said(somebody)
    calls = arrow(page, "gateway", "chat")
    await expect(calls).to_be_visible()
    await page.keyboard.press(TAB)
    await expect(page.get_by_role("link", name="Skip to the content")).to_be_focused()
    await expect(page.get_by_role("link", name="Skip to the content")).to_be_in_viewport()
    await page.keyboard.press(ENTER)
    await expect(page.locator("main")).to_be_focused()
    await tab_to(calls)
    await page.keyboard.press(ENTER)
    await expect(page).to_have_url(re.compile("#/traces"))
    trace = page.get_by_role("link", name="ChatService/SendMessage")
    await tab_to(trace)
    await page.keyboard.press(ENTER)
    span = page.get_by_role("list", name="Spans").locator("summary")
    await tab_to(span)
    await page.keyboard.press(ENTER)
    await expect(page.get_by_text("service.name").first).to_be_visible()
    await page.keyboard.press(ESCAPE)
    await expect(page).to_have_url(re.compile(r"#/traces\?"))
    await expect(page.get_by_role("list", name="Spans")).to_be_hidden()


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
async def test_text_is_readable_in_both_schemes(browser: Browser, address: str, dark: bool) -> None:
    async with opened(browser, address, dark=dark) as page:
        await expect(page.get_by_role("row").nth(3)).to_be_visible()
        ground, *texts = await page.evaluate(COLOURS)
        assert (luminance(ground) < 0.1) is dark
        for colour in texts:
            assert contrast(colour, ground) >= 4.5, colour  # WCAG 2.2, 1.4.3


COLOURS = """() => {
  const colour = (selector, name) => getComputedStyle(document.querySelector(selector))[name];
  const texts = ["td", "td [data-tone], td", "th a", "thead th", ".legend", ".legend [data-tone]", "#state", "h1"];
  return [colour(".card", "backgroundColor"), ...texts.map((selector) => colour(selector, "color"))];
}"""


def luminance(colour: str) -> float:
    """Relative luminance of `rgb(r, g, b)` (WCAG 2.2)."""
    channels = [int(part) / 255 for part in re.findall(r"\d+", colour)[:3]]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, other: str) -> float:
    """Contrast ratio of two colours (WCAG 2.2)."""
    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("width", [800, 1280])
async def test_the_page_fits_its_window(browser: Browser, address: str, width: int) -> None:
    async with opened(browser, address, width=width) as page:
        for view in ("Mesh", "Logs", "Policies", "Traces"):
            await page.get_by_role("link", name=view, exact=True).click()
            await expect(page.get_by_role("heading", level=1)).to_be_visible()
            assert await page.evaluate("document.documentElement.scrollWidth <= innerWidth")


async def test_a_pod_that_is_killed_is_seen_to_come_back(page: Page, mesh: Mesh) -> None:
    row = page.get_by_role("row").filter(has_text="user-v2-0")
    restarts = row.get_by_role("cell").nth(2)
    before = int(await restarts.inner_text())
    mesh.kill("mesh/user-v2-0")
    await expect(restarts).to_have_text(str(before + 1))
    await expect(row).to_contain_text("Ready")


async def test_the_lines_of_a_pod_come_as_they_are_written(
    page: Page, channel: grpc.aio.Channel, somebody: Somebody
) -> None:
    await page.get_by_role("link", name="logs of mesh/gateway-0").click()
    lines = page.get_by_role("list", name="Log lines").get_by_role("listitem")
    await expect(lines.first).to_be_attached()
    name = await denied(channel, somebody)
    line = lines.filter(has_text=name)
    await expect(line).to_contain_text(re.compile(f"proxied Nobody/{name} PERMISSION_DENIED"))
    await line.get_by_role("link", name="trace").click()
    await expect(page.get_by_role("heading", name=f"Nobody/{name}")).to_be_visible()


async def test_a_save_that_is_refused_is_told_with_its_place_until_it_is_mended(page: Page, mesh: Mesh) -> None:
    assert isinstance(mesh, LocalMesh)
    file = mesh.deploy / "istio" / "user.yaml"
    text = file.read_text()
    assert "timeout: 3s" in text
    try:
        write(file, text.replace("timeout: 3s", "timeout: 3 seconds"))
        notice = page.get_by_role("alert")
        await expect(notice).to_contain_text("The files on disk are not in force")
        await expect(notice).to_contain_text(re.compile(r"istio/user\.yaml:\d+.*is not a duration"))
    finally:
        write(file, text)
        mesh.command("apply")
    await expect(notice).to_be_hidden()
    await page.get_by_role("link", name="Policies", exact=True).click()
    policy = page.locator("details").filter(has_text="user-methods")
    await expect(policy).to_contain_text(re.compile(r"refused \d+ \w+ ago"))
    await policy.locator("summary").click()
    await expect(policy).to_contain_text(re.compile(r"Last refused .*is not a duration"))
