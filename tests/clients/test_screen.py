"""What is typed and shown, on a terminal and in a pipe."""

import asyncio
import os
import pty
import re
import subprocess
import sys
import termios

import pytest

from clients.screen import LineEditor
from tests.kit import eventually


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
import asyncio, sys
from clients.screen import Terminal
async def main():
    with Terminal("ada> ") as screen:
        async for line in screen.lines():
            screen.show(f"got {line}")
            if line == "boom":
                raise KeyboardInterrupt
asyncio.run(main())
"""


def shown_rows(written: str) -> list[str]:
    """What a person would see, as far as erased lines go."""
    return [re.sub(r".*\r\x1b\[2K", "", row) for row in written.split("\n")]


@pytest.mark.parametrize("end", ["\x04", "boom\n"])
async def test_a_terminal_shows_lines_above_the_one_being_typed_and_is_given_back(end: str) -> None:
    main, terminal = pty.openpty()
    before = termios.tcgetattr(terminal)
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", TERMINAL, stdin=terminal, stdout=terminal, stderr=subprocess.DEVNULL
    )
    os.set_blocking(main, False)
    written = ""

    def wrote(text: str) -> bool:
        nonlocal written
        while True:
            try:
                written += os.read(main, 65536).decode()
            except BlockingIOError:
                return text in written

    try:
        await eventually(lambda: wrote("ada> "), what="the prompt")
        os.write(main, b"hel")
        await eventually(lambda: wrote("ada> hel"), what="what is typed")
        os.write(main, b"lo\nne")
        await eventually(lambda: wrote("got hello\r\n"), what="the line above")
        await eventually(lambda: written.endswith("ada> ne") or wrote("\0"), what="the next line, still being typed")
        assert "got hello\r" in shown_rows(written)
        os.write(main, b"\x15" + end.encode())
        await asyncio.wait_for(process.wait(), 10)
        assert termios.tcgetattr(terminal) == before
    finally:
        if process.returncode is None:
            process.kill()
        os.close(main)
        os.close(terminal)
