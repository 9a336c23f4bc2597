"""Why a change is not in force, told with what its files say."""

from pathlib import Path

from localmesh.errors import Problem, Where
from localmesh.up.refusal import texts


def test_a_file_that_cannot_be_read_keeps_no_other_from_being_told(tmp_path: Path) -> None:
    read, unreadable = tmp_path / "routes.yaml", tmp_path / ("long" * 100)
    read.write_text("kind: VirtualService")
    places = [str(unreadable), str(tmp_path), str(read), "this machine"]
    assert texts(Problem(Where(place), "wrong") for place in places) == {str(read): "kind: VirtualService"}
