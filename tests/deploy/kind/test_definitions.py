"""The definitions of the Gateway API: put in once, and only where a component needs them."""

from dataclasses import replace

import pytest

from deploy.kind import definitions
from deploy.kind.commands import Failed
from deploy.kind.kubectl import Kubectl
from deploy.kind.settings import Settings
from tests.deploy.kind.conftest import World

KUBECTL = Kubectl("kind-test")
BOTH = "".join(f"{name}\n" for name in definitions._NAMES)


@pytest.fixture
def asking(settings: Settings) -> Settings:
    """With a component that needs them, from a file."""
    return replace(settings, components=("kind", "gateway-api"), gateway_api="/site/standard-install.yaml")


def test_without_a_component_that_needs_them_nothing_is_fetched(world: World, settings: Settings) -> None:
    definitions.ensured(settings, KUBECTL, world.told.append)
    assert world.calls() == []


def test_they_are_put_in_from_where_the_site_says_and_waited_for(world: World, asking: Settings) -> None:
    definitions.ensured(asking, KUBECTL, world.told.append)
    assert world.calls("kubectl apply") == ["kubectl apply --server-side -f /site/standard-install.yaml"]
    assert "--for=condition=Established" in world.calls("kubectl wait")[0]


def test_what_is_there_is_left_as_it_is(world: World, asking: Settings) -> None:
    world.set(answers={"kubectl get customresourcedefinition": [BOTH]})
    definitions.ensured(asking, KUBECTL, world.told.append)
    assert world.calls("kubectl apply") == []


def test_where_they_cannot_be_had_the_variable_and_the_component_are_named(world: World, asking: Settings) -> None:
    world.set(fails={"kubectl apply": [9, "unable to connect to the server"]})
    with pytest.raises(Failed, match=r"(?s)unable to connect.*GATEWAY_API=.*COMPONENTS without gateway-api"):
        definitions.ensured(asking, KUBECTL, world.told.append)
