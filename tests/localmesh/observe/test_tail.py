"""What is added to a log, however the file changes."""

from pathlib import Path

import pytest

from localmesh.observe.tail import Tail

MOST, LONGEST = 1000, 100


@pytest.fixture
def tail(tmp_path: Path) -> Tail:
    """Of a log that has been read so far."""
    file = tmp_path / "mesh.user-0.user.log"
    file.write_text("a long line before\n")
    made = Tail(file, MOST, LONGEST)
    assert made.added() == ["a long line before"]
    return made


def write(tail: Tail, text: str) -> None:
    with tail.file.open("a") as opened:
        opened.write(text)


def test_a_line_is_told_once_it_is_whole(tail: Tail) -> None:
    write(tail, "ha")
    assert tail.added() == []
    write(tail, "lf\nnext\n")
    assert tail.added() == ["half", "next"]


def test_a_letter_that_is_written_in_two_goes_is_one(tail: Tail) -> None:
    letter = "é".encode()
    with tail.file.open("ab", buffering=0) as opened:
        opened.write(letter[:1])
        assert tail.added() == []
        opened.write(letter[1:] + b"\n")
    assert tail.added() == ["é"]


def test_a_file_that_was_trimmed_is_read_from_its_beginning(tail: Tail) -> None:
    tail.file.write_text("after\n")
    assert tail.added() == ["after"]


def test_half_a_line_from_before_a_trimming_is_no_part_of_what_comes_after(tail: Tail) -> None:
    write(tail, "half")
    tail.added()
    tail.file.write_text("after\n")
    assert tail.added() == ["after"]


def test_a_file_that_is_removed_and_written_anew_is_read_from_its_beginning(tail: Tail) -> None:
    tail.file.unlink()
    assert tail.added() == []
    tail.file.write_text("another, longer than what was there before\n")
    assert tail.added() == ["another, longer than what was there before"]


def test_a_flood_is_cut_to_its_end_and_that_is_said(tail: Tail) -> None:
    write(tail, "".join(f"{number:09}\n" for number in range(MOST // 5)))
    said, *lines = tail.added()
    assert "bytes left out" in said
    assert lines[-1] == f"{MOST // 5 - 1:09}"
    assert sum(len(line) + 1 for line in lines) <= MOST


def test_a_long_line_is_cut_and_no_more_than_that_is_held_of_it_until_it_ends(tail: Tail) -> None:
    for _ in range(3):
        write(tail, "x" * (LONGEST - 10))
        assert tail.added() == []
        assert len(tail.rest) <= LONGEST
    write(tail, "\n")
    assert tail.added() == ["x" * LONGEST]
