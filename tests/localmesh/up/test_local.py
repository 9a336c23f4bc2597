"""deploy/local.yaml as the runtime reads it."""

import pytest

from localmesh.errors import Problems
from localmesh.manifests import loads
from localmesh.runtime.local import Expose, Listen, LocalRun, Step
from localmesh.up.local import local_run

WHOLE = """
apiVersion: localmesh/v1alpha1
kind: LocalRun
images:
  postgres:
    rootless: true
    stop_signal: SIGINT
    env: {PGHOST: "${sockets}"}
    command: [postgres]
    listen:
      tcp-postgres: {socket: .s.PGSQL.5432}
      other: {env: LISTEN}
      plain: {address: true}
    prepare:
      - {command: [initdb], stdin: secret}
      - {command: [single], stdin_file: roles.sql}
expose:
  - {gateway: mesh/gateway, port: 8080, address: "127.0.0.1:8080"}
"""


def test_every_field_arrives() -> None:
    local = local_run(loads(WHOLE).local)
    image = local.images["postgres"]
    assert (image.command, image.rootless, image.stop_signal) == (("postgres",), True, "SIGINT")
    assert image.listen == {
        "tcp-postgres": Listen(socket=".s.PGSQL.5432"),
        "other": Listen(env="LISTEN"),
        "plain": Listen(address=True),
    }
    assert image.prepare == (Step(("initdb",), "secret"), Step(("single",), stdin_file="roles.sql"))
    (expose,) = local.expose
    assert (expose.gateway, expose.port, expose.address) == ("mesh/gateway", 8080, "127.0.0.1:8080")
    assert isinstance(expose, Expose)
    assert expose.where is not None
    assert expose.where.line == 18


def test_what_to_try_next_keeps_its_order() -> None:
    local = local_run(loads(WHOLE + "next: {make z: the first, make a: the second}\n").local)
    assert list(local.next.items()) == [("make z", "the first"), ("make a", "the second")]


def test_no_document_is_an_empty_local_run() -> None:
    assert local_run(loads("").local) == LocalRun()


def test_an_unknown_field_is_a_problem_with_its_line_and_the_nearest_name() -> None:
    with pytest.raises(Problems, match=r"-:7: .*stop_signal"):
        local_run(loads(WHOLE.replace("stop_signal", "stop_sinal")).local)


def test_a_port_is_listened_on_in_one_way() -> None:
    with pytest.raises(Problems, match="env"):
        local_run(loads(WHOLE.replace("{env: LISTEN}", "{env: LISTEN, address: true}")).local)


def test_what_cannot_be_opened_is_told_with_its_place_all_at_once() -> None:
    text = (
        WHOLE
        + """  - {gateway: mesh/gateway, port: 1, address: "localhost:8081"}
  - {gateway: mesh/gateway, port: 2, address: "127.0.0.1:99999"}
  - {gateway: mesh/gateway, port: 3, address: "127.0.0.1:8080"}
"""
    )
    with pytest.raises(Problems) as found:
        local_run(loads(text).local)
    assert [(each.where.line, each.where.path) for each in found.value.problems] == [
        (19, "expose[1].address"),
        (20, "expose[2].address"),
        (21, "expose[3].address"),
    ]
    assert "opened twice" in found.value.problems[2].what
