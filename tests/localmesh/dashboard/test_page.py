"""The page is its own files and nothing else, wherever localmesh is installed."""

import re
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from localmesh.dashboard.server import PAGE
from tests.localmesh.dashboard.serving import dashboard

ROOT = Path(__file__).resolve().parents[3]
FILES = sorted(file.name for file in PAGE.iterdir())


@pytest.mark.parametrize("name", FILES)
def test_a_file_names_no_address_elsewhere(name: str) -> None:
    # The name of SVG's elements is written as an address, and never asked for.
    text = (PAGE / name).read_text().replace("http://www.w3.org/2000/svg", "")
    assert not re.search(r"\b(https?|wss?)://|[\"'(`]//\w", text)


@pytest.mark.parametrize("name", [name for name in FILES if name.endswith(".js")])
def test_no_script_turns_text_into_html_or_code(name: str) -> None:
    text = (PAGE / name).read_text()
    assert not re.search(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(|new Function", text)


@pytest.mark.parametrize("name", FILES)
def test_no_line_is_longer_than_in_the_rest_of_the_code(name: str) -> None:
    assert max(len(line) for line in (PAGE / name).read_text().splitlines()) <= 120


def test_the_page_has_no_inline_script_or_style() -> None:
    page = (PAGE / "index.html").read_text()
    assert not re.search(r"<script>|<style|\bstyle=|\bon\w+=", page)


@pytest.mark.parametrize("name", FILES)
async def test_every_file_is_served_as_what_it_is(tmp_path: Path, name: str) -> None:
    types = {"html": "text/html", "css": "text/css", "js": "text/javascript", "svg": "image/svg+xml"}
    async with dashboard(tmp_path) as (client, _), client.get(f"/{name}") as answer:
        assert answer.status == 200
        assert answer.content_type == types[name.rpartition(".")[2]]
        assert await answer.text() == (PAGE / name).read_text()


@pytest.mark.parametrize(
    "path", ["/server.py", "/../server.py", "/page/index.html", "/%2e%2e/server.py", "/etc/passwd"]
)
async def test_nothing_else_is_served(tmp_path: Path, path: str) -> None:
    async with dashboard(tmp_path) as (client, _):
        assert (await client.get(path)).status == 404


def test_an_installed_localmesh_has_the_page(tmp_path: Path) -> None:
    for name in ("pyproject.toml", "README.md"):
        shutil.copy(ROOT / name, tmp_path / name)
    shutil.copytree(ROOT / "localmesh", tmp_path / "localmesh", ignore=shutil.ignore_patterns("__pycache__"))
    build = "from setuptools.build_meta import build_wheel; build_wheel('.')"
    subprocess.run([sys.executable, "-c", build], cwd=tmp_path, check=True, capture_output=True, text=True)
    wheel = next(tmp_path.glob("*.whl"))
    packed = set(zipfile.ZipFile(wheel).namelist())
    assert {f"localmesh/dashboard/page/{name}" for name in FILES} <= packed
