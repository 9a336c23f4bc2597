"""What is typed and shown, on a terminal and in a pipe."""

import asyncio
import contextlib
import os
import pty
import re
import subprocess
import sys
import termios

import pytest

from clients.screen import LineEditor
from tests.kit import Limit, eventually


@pytest.mark.parametrize(
    ("typed", "lines", "rest"),
    [
        ("hello\r", ["hello"], ""),
        ("one\ntwo\nthr", ["one", "two"], "thr"),
        ("helo\x7flo\n", ["hello"], ""),
        ("\x7f\x7fa\n", ["a"], ""),
        ("wrong\x15right\n", ["right"], ""),
        ("one two \x17three\n", ["onethree"], ""),
        ("a\x1b[Ab\x1b[1;5Cc\x1bOHd\n", ["abcd"], ""),
        ("grün 🙂\n", ["grün 🙂"], ""),
        ("a\x07b\x00c", [], "abc"),
    ],
)
def test_keys_become_lines(typed: str, lines: list[str], rest: str) -> None:
    editor = LineEditor()
    assert list(editor.feed(typed)) == lines
    assert editor.text == rest
    assert not editor.closed


def test_an_escape_sequence_may_come_in_pieces() -> None:
    editor = LineEditor()
    for piece in ("a", "\x1b", "[", "A", "b"):
        assert list(editor.feed(piece)) == []
    assert editor.text == "ab"


def test_the_end_of_input_is_control_d_on_an_empty_line() -> None:
    editor = LineEditor()
    list(editor.feed("a\x04"))
    assert not editor.closed
    list(editor.feed("\n\x04"))
    assert editor.closed


TERMINAL = """
import asyncio, itertools
from clients.screen import Terminal
async def tick(screen):
    for number in itertools.count():
        await asyncio.sleep(0.01)
        screen.show(f"tick {number}")
async def main():
    with Terminal("ada> ") as screen:
        ticking = asyncio.create_task(tick(screen))
        async for line in screen.lines():
            screen.show(f"got {line}")
            if line == "boom":
                raise KeyboardInterrupt
asyncio.run(main())
"""


class Typist:
    """Somebody at a terminal in which the program above runs."""

    def __init__(self) -> None:
        self._here, self.there = pty.openpty()
        self.written = ""
        os.set_blocking(self._here, False)

    def types(self, keys: str) -> None:
        """Presses keys."""
        os.write(self._here, keys.encode())

    async def sees(self, pattern: str) -> None:
        """Waits until this is shown after what was waited for before."""

        def shown() -> re.Match[str] | None:
            return re.search(pattern, self._read(), re.DOTALL)

        found = await eventually(shown, within=Limit.STARTED, what=f"{pattern} is shown")
        assert found is not None
        self.written = self.written[found.end() :]

    def close(self) -> None:
        """Leaves the terminal."""
        os.close(self._here)
        os.close(self.there)

    def _read(self) -> str:
        with contextlib.suppress(BlockingIOError):
            while True:
                self.written += os.read(self._here, 65536).decode()
        return self.written


@pytest.mark.parametrize("end", ["\x04", "boom\n"])
async def test_a_terminal_shows_lines_above_the_one_being_typed_and_is_given_back(end: str) -> None:
    typist = Typist()
    before = termios.tcgetattr(typist.there)
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", TERMINAL), stdin=typist.there, stdout=typist.there, stderr=subprocess.DEVNULL
    )
    try:
        await typist.sees("ada> ")
        for number in range(20):
            typist.types(f"hel{number}")
            # What arrives meanwhile goes above, and the line being typed is drawn again below it.
            await typist.sees(rf"tick \d+\r\n\r\x1b\[2Kada> hel{number}")
            typist.types("\n")
            await typist.sees(rf"\r\x1b\[2Kgot hel{number}\r\n")
            # Nothing needs another key to be shown.
            await typist.sees(r"tick \d+\r\n\r\x1b\[2Kada> ")
        typist.types(end)
        await asyncio.wait_for(process.wait(), Limit.SOON.value)
        assert termios.tcgetattr(typist.there) == before
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()
        typist.close()
