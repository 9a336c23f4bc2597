"""What is added to a log, read from the file: it goes on when the log is trimmed, removed, or written anew."""

import os
from dataclasses import dataclass
from pathlib import Path


@dataclass(slots=True)
class Tail:
    """How far a file has been read. At one time at most `most` bytes are, and of a line the first `longest` bytes."""

    file: Path
    most: int
    longest: int
    end: int = 0
    rest: bytes = b""  # of a line that is not whole yet

    @property
    def program(self) -> str:
        """`<namespace>.<pod>.<program>.log`, or `localmesh.log`."""
        return self.file.name.split(".")[-2]

    def added(self) -> list[str]:
        """The whole lines since the last time. A file that has been trimmed is read from its beginning again."""
        try:
            with self.file.open("rb") as opened:
                size = opened.seek(0, os.SEEK_END)
                if size < self.end:
                    self.end, self.rest = 0, b""
                begin = max(self.end, size - self.most)
                opened.seek(begin)
                read = opened.read(self.most)
        except FileNotFoundError:
            self.end, self.rest = 0, b""
            return []
        left_out, first = begin - self.end, self.end == 0
        self.end = begin + len(read)
        *whole, rest = ((b"" if left_out else self.rest) + read).split(b"\n")
        self.rest = rest[: self.longest]
        lines = [line[: self.longest].decode(errors="replace") for line in whole]
        if not left_out:
            return lines
        # The first is no whole line. Of what was there before anybody read nothing need be said.
        return [*([] if first else [f"… {left_out} bytes left out …"]), *lines[1:]]
