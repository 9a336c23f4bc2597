"""Keys and passwords: made once, for the owner's eyes only, and their manifests always agree with them."""

import asyncio
import json
import re
import stat
import subprocess
import sys
from pathlib import Path

import asyncpg
import jwt
import pytest
import yaml

from clients import keys, tokens
from clients.failure import Failure
from clients.key_manifests import roles_sql
from clients.keys import Places
from tests.services.postgres import BIN, Postgres


@pytest.fixture
def places(tmp_path: Path) -> Places:
    return Places(tmp_path)


def contents(places: Places) -> dict[Path, str]:
    return {path: path.read_text() for path in sorted(places.root.rglob("*")) if path.is_file()}


def manifests(places: Places) -> dict[tuple[str, str], dict[str, str]]:
    """The data of each Secret and ConfigMap, by kind and name."""
    documents = list(yaml.safe_load_all(places.secret_manifest.read_text()))
    assert {document["metadata"]["namespace"] for document in documents} == {"mesh"}
    return {
        (document["kind"], document["metadata"]["name"]): document.get("stringData") or document["data"]
        for document in documents
    }


def test_a_second_time_nothing_changes(places: Places) -> None:
    assert len(keys.ensure(places)) == 7
    before = contents(places)
    assert keys.ensure(places) == []
    assert contents(places) == before


def test_only_the_owner_reads_them(places: Places) -> None:
    keys.ensure(places)
    assert {stat.S_IMODE(path.stat().st_mode) for path in contents(places)} == {0o600}
    assert stat.S_IMODE(places.secrets.stat().st_mode) == 0o700


@pytest.mark.parametrize("lost", ["deploy/k8s/secrets.yaml", "deploy/istio/request-authentication.yaml"])
def test_a_lost_manifest_comes_back_as_it_was(places: Places, lost: str) -> None:
    keys.ensure(places)
    before = contents(places)
    (places.root / lost).unlink()
    assert keys.ensure(places) == [places.root / lost]
    assert contents(places) == before


def test_a_lost_key_is_replaced_everywhere_and_the_passwords_stay(places: Places) -> None:
    keys.ensure(places)
    before = manifests(places)
    (places.secrets / keys.PRIVATE_KEY).unlink()
    keys.ensure(places)
    after = manifests(places)
    changed = {name for name in before if before[name] != after[name]}
    assert changed == {("ConfigMap", "jwt-keys")}
    [rule] = yaml.safe_load(places.request_authentication.read_text())["spec"]["jwtRules"]
    assert rule["jwks"] == after["ConfigMap", "jwt-keys"]["jwks.json"]


def test_the_manifests_hold_what_the_services_ask_for(places: Places) -> None:
    keys.ensure(places)
    found = manifests(places)
    assert found["Secret", "postgres-superuser"]["password"] == (places.secrets / "postgres-superuser").read_text()
    assert found["Secret", "user-database"]["password"] in found["Secret", "postgres-init"]["roles.sql"]
    assert found["Secret", "chat-database"]["password"] in found["Secret", "postgres-init"]["roles.sql"]
    assert len({json.dumps(data) for data in found.values()}) == 6
    spec = yaml.safe_load(places.request_authentication.read_text())
    assert spec["metadata"] == {"name": "gateway-jwt", "namespace": "mesh"}
    assert spec["spec"]["selector"] == {"matchLabels": {"app": "gateway"}}


def test_a_token_holds_for_whoever_has_the_manifest(places: Places) -> None:
    keys.ensure(places)
    token = tokens.mint(keys.signing_key(places), "somebody")
    [rule] = yaml.safe_load(places.request_authentication.read_text())["spec"]["jwtRules"]
    key_set = jwt.PyJWKSet.from_json(rule["jwks"])
    kid = jwt.get_unverified_header(token)["kid"]
    claims = jwt.decode(token, key_set[kid], algorithms=["ES256"], issuer=rule["issuer"], audience=rule["audiences"][0])
    assert claims["sub"] == "somebody"
    assert claims["exp"] - claims["iat"] == 24 * 3600


def test_no_private_half_leaves_the_folder_of_secrets(places: Places) -> None:
    keys.ensure(places)
    written = places.secret_manifest.read_text() + places.request_authentication.read_text()
    assert "PRIVATE" not in written
    assert not re.search(r'\\"d\\":', written)


def test_neither_key_nor_password_shows_in_a_repr(places: Places) -> None:
    keys.ensure(places)
    key = keys.signing_key(places)
    assert "PRIVATE" not in repr(key)


def test_many_at_once_make_one_set(places: Places) -> None:
    """As two `make up` in two terminals do."""
    program = (
        "import sys; from pathlib import Path; from clients import keys; places = keys.Places(Path(sys.argv[1])); "
    )
    program += "print(len(keys.ensure(places)))"
    command = [sys.executable, "-c", program, str(places.root)]
    running = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(4)]
    made = sorted(int(process.communicate(timeout=60)[0]) for process in running)
    assert made == [0, 0, 0, 7]


def test_a_password_that_would_need_quoting_is_refused(places: Places) -> None:
    places.secrets.mkdir()
    (places.secrets / "user-database").write_text("it's")
    with pytest.raises(Failure, match="letters and digits only"):
        keys.ensure(places)


def test_without_a_key_one_is_told_what_to_do(places: Places) -> None:
    with pytest.raises(Failure, match="make keys"):
        keys.signing_key(places)


def test_each_line_of_the_roles_is_a_whole_statement() -> None:
    """As a PostgreSQL in single-user mode reads them (deploy/local.yaml)."""
    lines = roles_sql(users_password="one", chat_password="two").splitlines()
    assert len(lines) == 8
    for line in lines:
        assert re.fullmatch(r"(CREATE|REVOKE) [^;]*;", line) and line.count("'") in (0, 2), line


async def test_each_role_reaches_its_own_database_and_no_other(places: Places, own_postgres: Postgres) -> None:
    keys.ensure(places)
    roles = places.root / "roles.sql"
    roles.write_text(manifests(places)["Secret", "postgres-init"]["roles.sql"])
    psql = [f"{BIN}/psql", "-q", "-v", "ON_ERROR_STOP=1", "-h", f"{own_postgres.folder}", "-U", "postgres"]
    process = await asyncio.create_subprocess_exec(*psql, "-f", str(roles))
    assert await process.wait() == 0
    for role, other in (("users", "chat"), ("chat", "users")):
        own = await own_postgres.connect(role, role)
        await own.execute("create table mine (id int)")
        await own.close()
        for database in (other, "postgres", "template1"):
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await own_postgres.connect(role, database)
    superuser = await own_postgres.connect("postgres", "postgres")
    stored = await superuser.fetch("select rolname, rolpassword from pg_authid where rolname in ('users', 'chat')")
    await superuser.close()
    assert len(stored) == 2
    assert all(row["rolpassword"].startswith("SCRAM-SHA-256$") for row in stored)


def test_git_ignores_all_of_it() -> None:
    places = Places(keys.repository())
    paths = [places.secrets / keys.PRIVATE_KEY, places.request_authentication, places.secret_manifest]
    ignored = subprocess.run(
        ["git", "check-ignore", *map(str, paths)], cwd=places.root, capture_output=True, text=True, check=False
    )
    assert ignored.stdout.split() == [str(path) for path in paths]
