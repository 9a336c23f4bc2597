"""Files come back as they went, over cuts, and nothing wrong is taken for right."""

import os
from pathlib import Path

import grpc
import pytest

from clients import reconnect
from clients.download import get
from clients.failure import Failure, reason
from clients.upload import Upload, described, put
from tests.clients.peers import ScriptedChat, serving

CONTENT = os.urandom(700_000)


@pytest.fixture(autouse=True)
def no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    """Tries follow each other at once."""

    async def at_once(attempt: int) -> None:
        """Instead of a wait."""

    monkeypatch.setattr(reconnect, "pause", at_once)


@pytest.fixture
def upload(tmp_path: Path) -> Upload:
    path = tmp_path / "data.bin"
    path.write_bytes(CONTENT)
    return described(path)


def names(folder: Path) -> list[str]:
    return sorted(place.name for place in folder.iterdir())


def ignored(done: int, whole: int) -> None:
    """Progress that nobody looks at."""


async def test_the_same_bytes_come_back_with_progress(upload: Upload, tmp_path: Path) -> None:
    sent: list[int] = []
    got: list[tuple[int, int]] = []
    (tmp_path / "there").mkdir()
    async with serving(ScriptedChat()) as gateway:
        stored = await put(gateway, upload, lambda done, _: sent.append(done))
        path, info = await get(gateway, stored.id, tmp_path / "there", lambda *done: got.append(done))
    assert path == tmp_path / "there" / "data.bin"
    assert path.read_bytes() == CONTENT
    assert info.sha256 == upload.sha256
    assert sent[-1] == len(CONTENT)
    assert got[-1] == (len(CONTENT), len(CONTENT))
    assert sent == sorted(sent)


async def test_an_upload_that_is_cut_begins_anew(upload: Upload) -> None:
    chat = ScriptedChat()
    chat.cut_after_bytes.extend([300_000, 1])
    async with serving(chat) as gateway:
        stored = await put(gateway, upload, ignored)
    assert chat.uploads == 3
    assert chat.files[stored.id][0] == CONTENT


async def test_a_refusal_amid_an_upload_arrives_as_it_was_said(upload: Upload) -> None:
    chat = ScriptedChat()
    chat.refuse_after_bytes = 1
    async with serving(chat) as gateway:
        for _ in range(20):
            with pytest.raises(grpc.aio.AioRpcError) as refused:
                await put(gateway, upload, ignored)
            assert refused.value.code() is grpc.StatusCode.OUT_OF_RANGE
            assert reason(refused.value) == "FILE_TOO_LARGE"
    assert chat.uploads == 20


async def test_a_download_goes_on_where_it_was_cut(upload: Upload, tmp_path: Path) -> None:
    chat = ScriptedChat()
    async with serving(chat) as gateway:
        stored = await put(gateway, upload, ignored)
        chat.cut_after_bytes.extend([300_000, 200_000])
        path, _ = await get(gateway, stored.id, tmp_path / "copy", ignored)
    assert path.read_bytes() == CONTENT
    assert chat.offsets[0] == 0
    assert chat.offsets == sorted(chat.offsets)
    assert len(chat.offsets) == 3
    # What was on its way when a stream was cut is asked for again, and nothing else.
    assert chat.offsets[1] >= 1000


async def test_a_later_run_goes_on_where_an_earlier_one_ended(upload: Upload, tmp_path: Path) -> None:
    chat = ScriptedChat()
    async with serving(chat) as gateway:
        stored = await put(gateway, upload, ignored)
        (tmp_path / f".{stored.id}.part").write_bytes(CONTENT[:400_000])
        path, _ = await get(gateway, stored.id, tmp_path / "copy", ignored)
    assert chat.offsets == [400_000]
    assert path.read_bytes() == CONTENT
    assert names(tmp_path) == ["copy", "data.bin"]


async def test_wrong_bytes_are_refused_on_both_ways_and_not_kept(upload: Upload, tmp_path: Path) -> None:
    chat = ScriptedChat()
    async with serving(chat) as gateway:
        stored = await put(gateway, upload, ignored)
        chat.corrupt = True
        with pytest.raises(Failure, match="not what was stored"):
            await get(gateway, stored.id, tmp_path / "copy", ignored)
        with pytest.raises(Failure, match="not this file"):
            await put(gateway, upload, ignored)
    assert names(tmp_path) == ["data.bin"]


async def test_a_file_name_cannot_lead_out_of_the_folder(tmp_path: Path) -> None:
    chat = ScriptedChat()
    (tmp_path / "in").mkdir()
    chat.files = {"1": (b"x", "../../outside"), "2": (b"y", ".."), "3": (b"z", "")}
    async with serving(chat) as gateway:
        paths = [(await get(gateway, file_id, tmp_path / "in", ignored))[0] for file_id in ("1", "2", "3")]
    assert [path.relative_to(tmp_path) for path in paths] == [Path("in/outside"), Path("in/2"), Path("in/3")]


async def test_a_file_in_the_way_is_not_overwritten(upload: Upload, tmp_path: Path) -> None:
    async with serving(ScriptedChat()) as gateway:
        stored = await put(gateway, upload, ignored)
        upload.path.write_text("mine")
        with pytest.raises(Failure, match="exists already"):
            await get(gateway, stored.id, tmp_path, ignored)
    assert upload.path.read_text() == "mine"


async def test_an_empty_file_is_a_file(tmp_path: Path) -> None:
    empty = tmp_path / "empty"
    empty.touch()
    async with serving(ScriptedChat()) as gateway:
        stored = await put(gateway, described(empty), ignored)
        path, _ = await get(gateway, stored.id, tmp_path / "copy", ignored)
    assert path.read_bytes() == b""


async def test_a_file_that_does_not_exist_is_an_error_and_leaves_nothing(tmp_path: Path) -> None:
    async with serving(ScriptedChat()) as gateway:
        with pytest.raises(grpc.aio.AioRpcError, match="NOT_FOUND"):
            await get(gateway, "nothing", tmp_path, ignored)
    assert names(tmp_path) == []
