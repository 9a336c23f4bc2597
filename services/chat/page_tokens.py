"""Page tokens of ListMessages: opaque, and good only for the question that they continue (AIP-158)."""

import base64
import binascii
import hashlib
import struct

from services.common.errors import InvalidArgument, Violation


def encode(room: str, *, newest_first: bool, position: int) -> str:
    """The token for the page that begins after (newest first: before) the sequence `position`."""
    packed = struct.pack(">q", position)
    return base64.urlsafe_b64encode(packed + _seal(packed, room, newest_first)).decode()


def decode(token: str, room: str, *, newest_first: bool) -> int:
    """The token's position. Raises InvalidArgument if it is none of ours, or belongs to other arguments."""
    try:
        raw = base64.b64decode(token, altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        raw = b""
    packed, seal = raw[:8], raw[8:]
    if len(packed) != 8 or seal != _seal(packed, room, newest_first):
        what = "must be the next_page_token of the page before, with the same room and order"
        raise InvalidArgument(
            "PAGE_TOKEN_INVALID", "page_token " + what, violations=[Violation("page_token", what, "page_token")]
        )
    position: int = struct.unpack(">q", packed)[0]
    return position


def _seal(packed: bytes, room: str, newest_first: bool) -> bytes:
    # Without a key: it finds mistakes. Who forges one reads from another place, as everybody may.
    digest = hashlib.sha256(b"%s|%d|%s" % (packed, newest_first, room.encode())).digest()
    return digest[:10]  # 18 bytes in all: base64 without padding has one form only
