"""The command line as a person runs it: a process, its output and its exit code."""

import asyncio
import json
import os
import sys
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import click
import jwt
import pytest

from clients import keys, tokens
from clients.cli import main
from tests.clients.peers import MemoryUsers, ScriptedChat, serving
from tests.kit import Limit


@dataclass(frozen=True)
class Ran:
    """What a command left behind."""

    code: int
    out: str
    err: str


async def run(
    target: str, *arguments: str, typed: str = "", token: str = "a-token", environ: Mapping[str, str] = {}
) -> Ran:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "clients", "--target", target, "--token", token, *arguments),
        cwd=keys.repository(),
        env={**os.environ, **environ},
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        out, err = await asyncio.wait_for(process.communicate(typed.encode()), Limit.STARTED.value)
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    assert process.returncode is not None
    assert "Traceback" not in err.decode()
    return Ran(process.returncode, out.decode(), err.decode())


async def test_a_user_from_its_making_to_its_end() -> None:
    service = MemoryUsers()
    async with serving(users=service) as gateway:
        made = json.loads((await run(gateway.target, "users", "create", "Ada", "ada@example.com", "--json")).out)
        assert (made["name"], made["email"]) == ("Ada", "ada@example.com")
        changed = await run(gateway.target, "users", "update", made["id"], "--name", "Ada L")
        assert "Ada L" in changed.out
        assert "ada@example.com" in changed.out
        stale = await run(gateway.target, "users", "update", made["id"], "--name", "X", "--etag", "old")
        assert (stale.code, stale.err) == (1, "Error: ABORTED ETAG_MISMATCH: it has changed since\n")
        assert (await run(gateway.target, "users", "batch-get", made["id"], str(uuid.uuid4()))).out.count("\n") == 1
        assert (await run(gateway.target, "users", "delete", made["id"])).code == 0
        gone = await run(gateway.target, "users", "get", made["id"])
    assert gone.code == 1
    assert gone.err == f"Error: NOT_FOUND USER_NOT_FOUND: no user has the id {made['id']}\n"
    assert service.tokens == ["Bearer a-token"]


async def test_a_listing_is_one_json_array_even_when_it_is_empty() -> None:
    service = MemoryUsers()
    async with serving(users=service) as gateway:
        assert json.loads((await run(gateway.target, "users", "list", "--json")).out) == []
        for name in ("ada", "bob"):
            await run(gateway.target, "users", "create", name, f"{name}@example.com")
        found = json.loads((await run(gateway.target, "users", "list", "--json")).out)
    assert [user["name"] for user in found] == ["ada", "bob"]


async def test_an_import_sums_up_and_names_the_rows_that_failed(tmp_path: Path) -> None:
    file = tmp_path / "users.csv"
    file.write_text("name,email\nAda,ada@example.com\nBob,bob\n")
    async with serving() as gateway:
        ran = await run(gateway.target, "users", "import", str(file))
        again = await run(gateway.target, "users", "import", str(file))
    assert ran.code == again.code == 1
    assert ran.out.startswith("1 made, 0 existing, 1 failed in ")
    assert again.out.startswith("0 made, 1 existing, 1 failed in ")
    assert f"{file}:3: bob: INVALID_ARGUMENT INVALID_REQUEST: bad email: must be a valid email address" in ran.err


async def test_what_is_piped_into_a_chat_is_stored_and_shown_in_the_history() -> None:
    chat = ScriptedChat()
    async with serving(chat) as gateway:
        ran = await run(gateway.target, "chat", "--room", "den", typed="one\ntwo\n\nthree")
        shown = await run(gateway.target, "rooms", "history", "den", "--last", "2")
        sent = json.loads((await run(gateway.target, "rooms", "send", "den", "four", "--json")).out)
    assert ran.code == 0
    assert [line.partition(" ")[2] for line in ran.out.splitlines()] == ["sender: one", "sender: two", "sender: three"]
    assert [line.split()[-1] for line in shown.out.splitlines()] == ["two", "three"]
    assert sent["sequence"] == "4"


async def test_a_file_goes_there_and_comes_back(tmp_path: Path) -> None:
    file = tmp_path / "file.txt"
    file.write_text("content" * 1000)
    async with serving() as gateway:
        stored = json.loads((await run(gateway.target, "files", "put", str(file), "--json")).out)
        got = await run(gateway.target, "files", "get", stored["id"], "-o", str(tmp_path / "copy.txt"))
    assert got.code == 0
    assert stored["sha256"] in got.out
    assert (tmp_path / "copy.txt").read_text() == file.read_text()


async def test_nobody_there_ends_with_3_and_what_to_try() -> None:
    ran = await run("127.0.0.1:1", "users", "list")
    assert ran.code == 3
    assert "make up" in ran.err
    assert ran.out == ""


async def test_a_token_is_all_that_is_printed_and_names_a_user_who_is_made_once() -> None:
    keys.ensure(keys.Places(keys.repository()))  # what `make test` has done before
    service = MemoryUsers()
    async with serving(users=service) as gateway:
        first = await run(gateway.target, "token", "ada", token="")
        again = await run(gateway.target, "token", "ada", token="")
    [user] = service.users.values()
    for ran in (first, again):
        assert (ran.code, ran.err, ran.out.count("\n")) == (0, "", 1)
        claims = jwt.decode(ran.out.strip(), options={"verify_signature": False})
        assert (claims["sub"], claims["iss"], claims["aud"]) == (user.id, tokens.ISSUER, tokens.AUDIENCE)
    operator = jwt.decode(service.tokens[0].removeprefix("Bearer "), options={"verify_signature": False})
    assert operator["sub"] == tokens.OPERATOR


@pytest.mark.parametrize("arguments", [("rooms", "send", "lobby", "hi"), ("chat",), ("files", "put", "x")])
async def test_who_speaks_must_be_named(arguments: tuple[str, ...]) -> None:
    ran = await run("127.0.0.1:1", *arguments, token="")
    assert ran.code == 2
    assert "who speaks?" in ran.err


def test_each_verb_has_an_example() -> None:
    context = click.Context(main)
    commands = [main.get_command(context, name) for name in main.list_commands(context)]
    verbs = [verb for command in commands for verb in getattr(command, "commands", {"": command}).values()]
    assert len(verbs) >= 16
    assert all("python -m clients" in (verb.epilog or "") for verb in verbs)


async def test_a_verb_does_not_load_the_others() -> None:
    """`make up` begins with `keys`, and every second counts there."""
    others = "{'rich', 'clients.demo', 'clients.chat'}"
    code = f"import sys, clients.cli, clients.cli.access; print(*({others} & {{*sys.modules}}))"
    process = await asyncio.create_subprocess_exec(sys.executable, "-c", code, stdout=asyncio.subprocess.PIPE)
    out, _ = await process.communicate()
    assert (process.returncode, out.split()) == (0, [])
