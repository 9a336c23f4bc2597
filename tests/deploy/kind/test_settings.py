"""What a site changes, from the environment."""

import pytest

from deploy.kind.settings import ROOT, Settings


def test_without_variables_the_defaults_hold_and_an_empty_one_counts_as_missing() -> None:
    settings = Settings.read({})
    assert settings == Settings.read(dict.fromkeys(["CLUSTER", "ISTIO_ARGS", "COMPONENTS", "PORT", "SKIP_PULL"], ""))
    assert (settings.cluster, settings.context, settings.port) == ("localmesh", "kind-localmesh", 0)
    assert settings.kind_config == ROOT / "deploy" / "kind-config.yaml"
    assert (settings.components, settings.skip_pull) == (("kind", "jaeger", "prometheus"), False)


def test_arguments_are_split_as_a_shell_does() -> None:
    settings = Settings.read({"ISTIO_ARGS": "-f a.yaml --set 'hub=a b'", "DOCKER_BUILD_ARGS": "--network=host"})
    assert settings.istio_args == ("-f", "a.yaml", "--set", "hub=a b")
    assert settings.docker_build_args == ("--network=host",)


@pytest.mark.parametrize(
    ("said", "meant"), [("1", True), ("true", True), ("0", False), ("no", False), ("False", False)]
)
def test_skip_pull_is_said_in_any_usual_way(said: str, meant: bool) -> None:
    assert Settings.read({"SKIP_PULL": said}).skip_pull is meant


def test_components_are_separated_by_spaces_or_commas() -> None:
    assert Settings.read({"COMPONENTS": "kind, ha without-cni"}).components == ("kind", "ha", "without-cni")


@pytest.mark.parametrize("said", ["http", "70000", "-1"])
def test_a_port_that_is_none_is_refused_by_name(said: str) -> None:
    with pytest.raises(ValueError, match=f"PORT is no port: {said}"):
        Settings.read({"PORT": said})
