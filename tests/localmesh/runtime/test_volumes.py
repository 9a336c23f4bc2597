"""Volumes as folders."""

from pathlib import Path

import pytest

from localmesh.errors import MeshError
from localmesh.mesh.workloads import Keeps, Volume
from localmesh.runtime import volumes
from localmesh.runtime.volumes import Folder, Mark


def test_files_of_a_secret_are_for_their_owner_only(tmp_path: Path) -> None:
    folder = Folder(Volume("keys", files={"a.pem": b"key", "sub/b.pem": b"other"}, secret=True), tmp_path / "keys")
    volumes.make(folder)
    assert (folder.path / "a.pem").read_bytes() == b"key"
    assert (folder.path / "sub" / "b.pem").read_bytes() == b"other"
    assert {path.stat().st_mode & 0o077 for path in (folder.path, *folder.path.rglob("*"))} == {0}


def test_an_empty_volume_begins_empty_each_time_and_data_stays(tmp_path: Path) -> None:
    scratch, data = Folder(Volume("s"), tmp_path / "s"), Folder(Volume("d", Keeps.DATA), tmp_path / "d")
    for _ in range(2):
        for folder in (scratch, data):
            volumes.make(folder)
            assert list(folder.path.iterdir()) == ([] if folder is scratch else list(tmp_path.glob("d/file")))
            (folder.path / "file").touch()
    for folder in (scratch, data):
        volumes.remove(folder)
    assert [path.name for path in tmp_path.rglob("*")] == ["d", "file"]


@pytest.mark.parametrize("name", ["../out", "/etc/out", "a/../../out"])
def test_a_file_outside_of_its_volume_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(MeshError, match="outside of itself"):
        volumes.make(Folder(Volume("v", files={name: b""}), tmp_path / "v"))
    assert not list(tmp_path.rglob("out"))


def test_a_preparation_that_was_cut_short_begins_again_from_nothing(tmp_path: Path) -> None:
    mark = Mark(tmp_path / "data")
    assert mark.begin()
    (mark.volume / "half").touch()
    assert mark.begin()
    assert list(mark.volume.iterdir()) == []
    (mark.volume / "whole").touch()
    mark.end()
    assert not mark.begin()
    assert [path.name for path in mark.volume.iterdir()] == ["whole"]


def test_data_that_was_there_before_is_never_prepared_over(tmp_path: Path) -> None:
    mark = Mark(tmp_path / "data")
    mark.volume.mkdir()
    (mark.volume / "precious").touch()
    assert not mark.begin()
    assert (mark.volume / "precious").exists()
