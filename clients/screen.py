"""Where a chat is typed and shown: a terminal with a line to type in below the messages, or a pipe without one."""

import asyncio
import codecs
import concurrent.futures
import contextlib
import os
import sys
import termios
import threading
import tty
from collections.abc import AsyncIterator, Iterator
from types import TracebackType
from typing import Protocol, Self

from rich.cells import cell_len

_ERASE_LINE = "\r\x1b[2K"


class Screen(Protocol):
    """What a conversation needs of the place where it is shown."""

    def show(self, line: str) -> None:
        """Shows a line."""

    def lines(self) -> AsyncIterator[str]:
        """What the person types, line by line, to the end of the input."""


class LineEditor:
    """What has been typed of a line: characters in, finished lines out. Values only, no terminal."""

    def __init__(self) -> None:
        self.text = ""
        self.closed = False  # Ctrl-D on an empty line
        self._escape = ""  # an escape sequence that has begun: arrow keys and the like mean nothing here

    def feed(self, characters: str) -> Iterator[str]:
        """Takes what was typed; gives the lines that it finished."""
        for character in characters:
            if self._escape:
                self._escape = self._rest_of_escape(character)
            elif character in "\r\n":
                line, self.text = self.text, ""
                yield line
            elif character == "\x04":
                self.closed = self.closed or not self.text
            elif character in "\x7f\b":
                self.text = self.text[:-1]
            elif character == "\x15":  # Ctrl-U
                self.text = ""
            elif character == "\x17":  # Ctrl-W
                self.text = self.text.rstrip().rpartition(" ")[0]
            elif character == "\x1b":
                self._escape = character
            elif character.isprintable():
                self.text += character

    def _rest_of_escape(self, character: str) -> str:
        """`ESC [ … final` and `ESC O final` (ECMA-48); after any other character the sequence is over."""
        if self._escape == "\x1b":
            return self._escape + character if character in "[O" else ""
        return "" if "\x40" <= character <= "\x7e" else self._escape


class Terminal:
    """Messages above, below them the line being typed. It takes keys one by one: cbreak mode until it ends."""

    def __init__(self, prompt: str) -> None:
        self._prompt = prompt
        self._editor = LineEditor()
        self._keyboard = sys.stdin.fileno()
        self._before = termios.tcgetattr(self._keyboard)

    def __enter__(self) -> Self:
        """Takes the terminal."""
        tty.setcbreak(self._keyboard)
        self._draw()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Gives it back as it was."""
        termios.tcsetattr(self._keyboard, termios.TCSADRAIN, self._before)
        sys.stdout.write(_ERASE_LINE)
        sys.stdout.flush()

    def show(self, line: str) -> None:
        """Shows a line above the one being typed, which stays."""
        sys.stdout.write(f"{_ERASE_LINE}{line}\n")
        self._draw()

    async def lines(self) -> AsyncIterator[str]:
        """Lines as they are finished. They disappear from below: who sees them above knows that they arrived."""
        loop = asyncio.get_running_loop()
        typed: asyncio.Queue[bytes] = asyncio.Queue()
        # Read where it is known to be readable: a moment later it might not be, and the loop would hang in the read.
        loop.add_reader(self._keyboard, lambda: typed.put_nowait(self._keys()))
        decoder = codecs.getincrementaldecoder("utf-8")("replace")
        try:
            while not self._editor.closed and (keys := await typed.get()):
                finished = list(self._editor.feed(decoder.decode(keys)))
                self._draw()
                for line in finished:
                    yield line
        finally:
            loop.remove_reader(self._keyboard)

    def _keys(self) -> bytes:
        try:
            return os.read(self._keyboard, 4096)
        except OSError:  # the terminal was closed
            return b""

    def _draw(self) -> None:
        """The prompt and as much of the end of the line as one row takes."""
        columns = os.get_terminal_size(self._keyboard).columns or 80  # a terminal that was never told its size has 0
        room = columns - cell_len(self._prompt) - 1
        shown = self._editor.text
        while cell_len(shown) > max(room, 1):
            shown = shown[1:]
        sys.stdout.write(f"{_ERASE_LINE}{self._prompt}{shown}")
        sys.stdout.flush()


class Pipe:
    """Lines from standard input, whatever that is, and to standard output."""

    def show(self, line: str) -> None:
        """Prints a line."""
        print(line, flush=True)

    async def lines(self) -> AsyncIterator[str]:
        """Lines to the end of the input. A thread reads: an event loop cannot wait for a regular file."""
        loop = asyncio.get_running_loop()
        lines: asyncio.Queue[str | None] = asyncio.Queue(100)

        def read() -> None:
            # An object of its own: a daemon thread that held sys.stdin's lock would break Python's exit.
            with (
                contextlib.suppress(RuntimeError, concurrent.futures.CancelledError),  # the loop is gone
                open(sys.stdin.fileno(), encoding="utf-8", errors="replace", closefd=False) as file,
            ):
                for line in file:
                    asyncio.run_coroutine_threadsafe(lines.put(line.rstrip("\r\n")), loop).result()
                asyncio.run_coroutine_threadsafe(lines.put(None), loop).result()

        threading.Thread(target=read, daemon=True, name="standard input").start()
        while (line := await lines.get()) is not None:
            yield line
