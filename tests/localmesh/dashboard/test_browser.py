"""The page in a real Chromium, without a mesh: what it draws of readings, and how it bears a server that goes."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import Browser, expect

from localmesh.dashboard.server import application
from localmesh.runtime import dirs
from tests.browser import chromium, opened
from tests.kit import Limit
from tests.localmesh.dashboard.serving import served

# A made-up mesh of `count` workloads, each called by one or two before it, and two that call each other.
GRAPH = """async (count) => {
  const { layout } = await import("/layout.js");
  let seed = count;
  const random = () => (seed = (seed * 16807) % 2147483647) / 2147483647;
  const nodes = Array.from({ length: count }, (_, at) => ({ id: `n${at}`, width: 100, height: 46 }));
  const arrows = [];
  for (let at = 1; at < count; at++) {
    for (const from of new Set([Math.floor(random() * at), Math.floor(random() * at)])) {
      arrows.push({ id: `${from}-${at}`, source: `n${from}`, target: `n${at}`, width: 112, height: 36 });
    }
  }
  if (count > 1) arrows.push({ id: "back", source: "n1", target: "n0", width: 112, height: 36 });
  const plan = layout(nodes, arrows);
  return {
    width: plan.width,
    height: plan.height,
    nodes: [...plan.nodes].map(([id, at]) => ({ id, ...at })),
    arrows: arrows.map((arrow) => ({ ...arrow, ...plan.arrows.get(arrow.id) })),
  };
}"""


@pytest.fixture(scope="module")
async def browser() -> AsyncIterator[Browser]:
    """One for all tests here."""
    async with chromium() as running:
        yield running


@pytest.mark.parametrize("count", [1, 8, 40])
async def test_no_workload_and_no_label_lies_on_another(browser: Browser, tmp_path: Path, count: int) -> None:
    async with served(application(dirs.of(tmp_path))) as address, opened(browser, address) as page:
        plan = await page.evaluate(GRAPH, count)
    boxes = [(node["id"], node["x"], node["y"], 100, 46) for node in plan["nodes"]]
    boxes += [
        (each["id"], each["label"]["x"], each["label"]["y"], each["width"], each["height"]) for each in plan["arrows"]
    ]
    for name, x, y, width, height in boxes:
        assert width / 2 <= x <= plan["width"] - width / 2, name
        assert height / 2 <= y <= plan["height"] - height / 2, name
    for at, one in enumerate(boxes):
        for other in boxes[at + 1 :]:
            assert not overlap(one, other), f"{one} lies on {other}"


def overlap(one: tuple[Any, ...], other: tuple[Any, ...]) -> bool:
    """Whether two boxes (name, centre, size) share more than an edge."""
    across: bool = abs(one[1] - other[1]) < (one[3] + other[3]) / 2 - 0.01
    down: bool = abs(one[2] - other[2]) < (one[4] + other[4]) / 2 - 0.01
    return across and down


async def test_callers_stand_left_of_whom_they_call_but_where_that_would_be_a_circle(
    browser: Browser, tmp_path: Path
) -> None:
    async with served(application(dirs.of(tmp_path))) as address, opened(browser, address) as page:
        plan = await page.evaluate(GRAPH, 40)
    x = {node["id"]: node["x"] for node in plan["nodes"]}
    assert all(x[each["source"]] < x[each["target"]] for each in plan["arrows"] if each["id"] != "back")
    assert [each["turned"] for each in plan["arrows"] if each["id"] == "back"] == [True]


# Spans by id, each with its parent: a tree, one whose parent never came, and two that are each other's parent.
TREE = """async () => {
  const { tree } = await import("/waterfall.js");
  const parents = { a: "", b: "a", c: "b", d: "a", late: "never", one: "other", other: "one" };
  const spans = Object.entries(parents).map(([id, parent]) => ({ id, parent }));
  return tree(spans).map(({ span, depth }) => [span.id, depth]);
}"""


async def test_every_span_is_drawn_once_below_its_parent(browser: Browser, tmp_path: Path) -> None:
    async with served(application(dirs.of(tmp_path))) as address, opened(browser, address) as page:
        drawn = await page.evaluate(TREE)
    assert drawn == [["a", 0], ["b", 1], ["c", 2], ["d", 1], ["late", 0], ["one", 0], ["other", 1]]


async def test_without_a_mesh_the_page_says_what_to_try(browser: Browser, tmp_path: Path) -> None:
    async with served(application(dirs.of(tmp_path))) as address, opened(browser, address) as page:
        await expect(page.get_by_role("alert")).to_contain_text("The mesh is not running. Try localmesh up")
        await expect(page.get_by_text("Start the mesh: make up")).to_be_visible()
        await page.get_by_role("link", name="Traces").click()
        await expect(page.get_by_text("the mesh is not running (try: localmesh up).")).to_be_visible()
        await expect(page.get_by_text("No such traces yet.")).to_be_hidden()
        await page.get_by_role("link", name="Policies").click()
        await expect(page.get_by_text("No policy is in force.")).to_be_visible()


async def test_a_dashboard_that_goes_is_told_and_waited_for(browser: Browser, tmp_path: Path) -> None:
    async with AsyncExitStack() as first:
        address = await first.enter_async_context(served(application(dirs.of(tmp_path))))
        async with opened(browser, address) as page:
            state = page.get_by_role("status")
            await expect(state).to_have_text("the mesh is not running")
            await first.aclose()
            await expect(state).to_contain_text("the dashboard does not answer")
            async with served(application(dirs.of(tmp_path)), int(address.strip("/").rpartition(":")[2])):
                await expect(state).to_have_text("the mesh is not running", timeout=Limit.STARTED.value * 1000)


async def test_a_log_that_tries_to_be_html_stays_text(browser: Browser, tmp_path: Path) -> None:
    (tmp_path / "logs").mkdir()
    (tmp_path / "logs" / "localmesh.log").write_text(
        '<img src=x onerror="document.title = 1"> <script>alert(1)</script>\n'
    )
    async with served(application(dirs.of(tmp_path))) as address, opened(browser, f"{address}#/logs/localmesh") as page:
        await expect(page.get_by_text('<img src=x onerror="document.title = 1">')).to_be_visible()
        assert await page.locator("#main img, #main script").count() == 0
