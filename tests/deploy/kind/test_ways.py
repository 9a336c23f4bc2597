"""The ways into the cluster: where they open, that they open again, and what is told where they lead nowhere."""

import json
import socket
from dataclasses import replace

import pytest

from deploy.kind import ways
from deploy.kind.commands import Failed
from deploy.kind.settings import Settings
from tests.deploy.kind.conftest import World
from tests.mesh.forward import free_ports


@pytest.fixture
def here(settings: Settings) -> Settings:
    """With a port of this machine that is free."""
    return replace(settings, port=next(free_ports()))


def until_the_second_end(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ctrl-C comes after a forward has ended twice."""
    ends: list[float] = []

    def sleep(seconds: float) -> None:
        ends.append(seconds)
        if len(ends) == 2:
            raise KeyboardInterrupt

    monkeypatch.setattr("deploy.kind.ways.sleep", sleep)


def test_the_gateway_is_forwarded_again_when_its_pod_goes(
    world: World, here: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    until_the_second_end(monkeypatch)
    with pytest.raises(KeyboardInterrupt):
        ways.gateway(here, world.told.append)
    assert world.calls("kubectl") == [f"kubectl -n mesh port-forward svc/gateway {here.port}:80"] * 2
    assert "opening another" in world.text


@pytest.mark.parametrize("component", ways.PAGES)
def test_a_page_is_told_and_opened_where_its_component_is_deployed(
    world: World, here: Settings, monkeypatch: pytest.MonkeyPatch, component: str
) -> None:
    until_the_second_end(monkeypatch)
    world.set(answers={f"kubectl get service {component}": [json.dumps({"kind": "Service"})]})
    with pytest.raises(KeyboardInterrupt):
        ways.page(here, component, world.told.append)
    assert f"http://127.0.0.1:{here.port}/" in world.text
    way = ways.PAGES[component]
    opened = f"kubectl -n observability port-forward svc/{component} {here.port}:{way.port}"
    assert world.calls("kubectl -n")[0] == opened


def test_a_page_whose_component_is_not_deployed_says_what_would_bring_it(world: World, here: Settings) -> None:
    with pytest.raises(Failed, match=r'grafana is not deployed here.*\n.*COMPONENTS="kind jaeger prometheus grafana"'):
        ways.page(here, "grafana", world.told.append)
    assert world.calls("kubectl -n") == []


def test_a_port_in_use_is_told_instead_of_forwarding_to_nobody(world: World, here: Settings) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", here.port))
        other.listen()
        with pytest.raises(Failed, match=f"127.0.0.1:{here.port} is in use"):
            ways.gateway(here, world.told.append)


def test_without_a_port_each_way_has_its_own(settings: Settings) -> None:
    free = replace(settings, port=0)
    ports = [way.opened_at(free) for way in (ways.GATEWAY, *ways.PAGES.values())]
    assert ports == [8080, 16686, 9090, 3000, 20001]
    assert ways.GATEWAY.opened_at(replace(settings, port=9999)) == 9999
