"""How things read on a terminal. What other people wrote is made harmless first: it could hold escape sequences."""

from datetime import datetime

from clients.reconnect import Back, Lost

_WHY = 60  # characters of a reason; the rest is for logs


def plain(text: str) -> str:
    """The text without what would move a cursor, ring a bell or end a line."""
    return "".join(character if character.isprintable() else "\N{REPLACEMENT CHARACTER}" for character in text)


def message_line(sender: str, text: str, create_time: datetime) -> str:
    """`12:03 ada: hello`, in local time."""
    return f"{create_time.astimezone():%H:%M} {plain(sender)}: {plain(text)}"


def status_line(event: Lost | Back) -> str:
    """What becomes of the connection."""
    if isinstance(event, Back):
        return f"-- back after {event.after_seconds:.1f} s, nothing missed"
    why = plain(event.why.splitlines()[0])
    return f"-- connection lost, reconnecting ({why if len(why) <= _WHY else why[:_WHY] + '…'})"


def size(count: int) -> str:
    """A number of bytes as a person says it."""
    for unit, factor in (("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10)):
        if count >= factor:
            return f"{count / factor:.1f} {unit}"
    return f"{count} bytes"
