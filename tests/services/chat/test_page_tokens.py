"""Page tokens continue one question only."""

import pytest

from services.chat import page_tokens
from services.common.errors import InvalidArgument


def test_a_token_gives_back_its_position() -> None:
    token = page_tokens.encode("lobby", newest_first=True, position=7)
    assert page_tokens.decode(token, "lobby", newest_first=True) == 7


@pytest.mark.parametrize("position", [1, 255, 2**40])
@pytest.mark.parametrize("index", range(24))
def test_a_token_with_any_character_changed_is_refused(position: int, index: int) -> None:
    token = page_tokens.encode("lobby", newest_first=False, position=position)
    changed = token[:index] + ("A" if token[index] != "A" else "B") + token[index + 1 :]
    with pytest.raises(InvalidArgument, match="PAGE_TOKEN_INVALID"):
        page_tokens.decode(changed, "lobby", newest_first=False)


@pytest.mark.parametrize("token", ["x", "äöü", "AAAA", "=" * 24, "A" * 200])
def test_what_is_no_token_is_refused(token: str) -> None:
    with pytest.raises(InvalidArgument) as caught:
        page_tokens.decode(token, "lobby", newest_first=False)
    assert [violation.field for violation in caught.value.violations] == ["page_token"]


def test_a_token_of_another_room_or_order_is_refused() -> None:
    token = page_tokens.encode("lobby", newest_first=False, position=7)
    for room, newest_first in (("other", False), ("lobby", True)):
        with pytest.raises(InvalidArgument):
            page_tokens.decode(token, room, newest_first=newest_first)
