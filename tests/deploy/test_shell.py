"""All shell of the repository: its scripts, and the recipes of the Makefile."""

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from deploy.kind.settings import ROOT

SHELLCHECK = Path(sys.executable).with_name("shellcheck")
LEFT_OUT = {".git", ".venv", "build", "node_modules"}


def scripts() -> Iterator[Path]:
    """Files that a shell runs, by their first line."""
    for path in sorted(ROOT.rglob("*")):
        if LEFT_OUT.isdisjoint(path.relative_to(ROOT).parts) and path.is_file() and path.suffix in {"", ".sh"}:
            with path.open("rb") as file:
                first = file.readline()
            if re.match(rb"#!.*\b(?:ba)?sh\b", first):
                yield path


def recipes() -> Iterator[tuple[str, str]]:
    """Target and shell of every recipe of the Makefile, as make would give it to bash."""
    target, lines = "", list[str]()
    for line in [*(ROOT / "Makefile").read_text().splitlines(), "end:"]:
        if line.startswith("\t"):
            lines.append(line[1:])
        elif lines or line:
            if lines:
                yield target, as_shell("\n".join(lines))
            target, lines = line.partition(":")[0], []


def as_shell(recipe: str) -> str:
    """Make's own expressions become a word, or two behind `in`; `$$` becomes `$`; the marks before a command go."""
    words = re.sub(r"\$\((?:[^()]|\([^()]*\))*\)|\$[@<*^%]", "word", recipe.replace("$$", "\0"))
    lists = words.replace(" in word;", " in one other;")
    return re.sub(r"(?m)^[@-]+", "", lists).replace("\0", "$")


def complaints(shell: str) -> str:
    """What shellcheck says of this text."""
    command = [str(SHELLCHECK), "--shell=bash", "--severity=style", "--format=gcc", "-"]
    return subprocess.run(command, input=shell, capture_output=True, text=True, check=False).stdout


def test_there_are_scripts_and_recipes_to_check() -> None:
    assert ROOT / ".ci" / "run" in set(scripts())
    assert {"kind-up", "check"} <= {target for target, _ in recipes()}


@pytest.mark.parametrize("script", list(scripts()), ids=lambda path: str(path.relative_to(ROOT)))
def test_a_script_passes_shellcheck(script: Path) -> None:
    assert complaints(script.read_text()) == ""


def test_the_recipes_of_the_makefile_pass_shellcheck() -> None:
    """A target's name and the line in its recipe stand before each complaint."""
    found = {target: complaints(shell) for target, shell in recipes()}
    assert {target: said for target, said in found.items() if said} == {}


def test_a_fault_would_be_found() -> None:
    assert "SC2086" in complaints("ls $name\n")
