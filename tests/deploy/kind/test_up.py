"""make kind-up: what it does, in which order, from every half-way state, and what it tells where it fails."""

import json
from dataclasses import replace

import pytest

from deploy.kind import commands, images, up
from deploy.kind.commands import Failed
from deploy.kind.settings import Settings
from tests.deploy.kind.conftest import World

NODES = ["test-control-plane", "test-worker", "test-worker2"]
THERE = {"clusters": ["test"], "nodes": dict.fromkeys(NODES, True), "joined": NODES}
WORK = ("kind create", "kind delete", "docker build", "kind load", "istioctl install", "kubectl apply")


def verbs(world: World) -> list[str]:
    """The calls that change something, by their first two words."""
    return [" ".join(call.split()[:2]) for call in world.calls(*WORK)]


def test_from_nothing_every_step_is_done_in_order(world: World, settings: Settings) -> None:
    up.up(settings, world.told.append)
    assert list(dict.fromkeys(verbs(world))) == [
        "kind create",
        "docker build",
        "kind load",
        "istioctl install",
        "kubectl apply",
    ]
    assert "Everything runs" in world.text
    assert "120 MB" in world.text


def test_a_second_time_nothing_is_created_and_nothing_is_rolled_out(world: World, settings: Settings) -> None:
    up.up(settings, world.told.append)
    first = (settings.work / "kustomization.yaml").read_text()
    world.forget()
    up.up(settings, world.told.append)
    assert "kind create" not in verbs(world)
    assert "kind delete" not in verbs(world)
    assert (settings.work / "kustomization.yaml").read_text() == first


def test_an_image_built_anew_under_the_same_tag_is_rolled_out(world: World, settings: Settings) -> None:
    up.up(settings, world.told.append)
    world.set(build="two")
    up.up(settings, world.told.append)
    patches = json.loads((settings.work / "kustomization.yaml").read_text())["patches"]
    assert all("sha256:two" in patch["patch"] for patch in patches)


def test_nodes_that_a_reboot_stopped_are_started(world: World, settings: Settings) -> None:
    world.set(**THERE | {"nodes": {NODES[0]: True, NODES[1]: False, NODES[2]: True}})
    up.up(settings, world.told.append)
    assert world.calls("docker start") == ["docker start test-worker"]
    assert "kind create" not in verbs(world)


@pytest.mark.parametrize(
    "half",
    [THERE | {"joined": NODES[:1]}, THERE | {"fails": {"kind export kubeconfig": [1, "no such file: admin.conf"]}}],
    ids=["a worker did not join", "no API server was set up"],
)
def test_a_cluster_left_half_made_is_made_anew(world: World, settings: Settings, half: dict[str, object]) -> None:
    world.set(**half)
    up.up(settings, world.told.append)
    assert verbs(world)[:2] == ["kind delete", "kind create"]
    assert "half made" in world.text


def test_only_this_cluster_is_ever_spoken_to(world: World, settings: Settings) -> None:
    """Every kubectl and istioctl call but those that need no cluster names its context (left out of `calls`)."""
    context: list[str] = []
    original = commands.output

    def seen(command: list[str], **rest: object) -> str:
        context.append(" ".join(command))
        return original(command, **rest)  # type: ignore[arg-type]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(commands, "output", seen)
        up.up(settings, world.told.append)
    assert all(
        "--context kind-test" in call for call in context if call.startswith("kubectl ") and "version" not in call
    )


def test_what_a_site_sets_reaches_the_programs(world: World, settings: Settings) -> None:
    site = replace(
        settings,
        kind_node_image="kindest/node:v1.34.0",
        istio_args=("--set", "hub=mirror.example"),
        image_tag="7",
        docker_build_args=("--network=host",),
    )
    up.up(site, world.told.append)
    assert "--image kindest/node:v1.34.0" in world.calls("kind create")[0]
    assert "--set hub=mirror.example" in world.calls("istioctl install")[0]
    assert world.calls("istioctl install")[0].index("deploy/istio-operator.yaml") < world.calls("istioctl install")[
        0
    ].index("hub=mirror.example")
    assert all(
        "--network=host" in call and ("user:7" in call or "chat:7" in call) for call in world.calls("docker build")
    )


def test_images_of_others_are_pulled_once_and_loaded(world: World, settings: Settings) -> None:
    up.up(settings, world.told.append)
    wanted = ["hub.example/install-cni:1.30.4", "hub.example/pilot:1.30.4", "hub.example/proxyv2:1.30.4", "nats:2.12"]
    assert sorted(call.split()[-1] for call in world.calls("docker pull")) == wanted
    assert set(wanted) <= set(world.read()["loaded"])


def test_with_skip_pull_nothing_is_pulled_and_the_cni_agent_is_left_out_where_it_is_nowhere(
    world: World, settings: Settings
) -> None:
    world.set(images=["nats:2.12", "hub.example/pilot:1.30.4", "hub.example/proxyv2:1.30.4"])
    up.up(replace(settings, skip_pull=True), world.told.append)
    assert world.calls("docker pull") == []
    assert "--set components.cni.enabled=false" in world.calls("istioctl install")[0]
    assert "without-cni" in (settings.work / "kustomization.yaml").read_text()


def test_ambient_mode_is_installed_where_its_component_is_asked_for(world: World, settings: Settings) -> None:
    up.up(replace(settings, components=("kind", "ambient")), world.told.append)
    assert "--set profile=ambient" in world.calls("istioctl install")[0]
    applied = world.calls("kubectl apply --server-side", "istioctl install")
    assert applied[0].startswith("kubectl apply"), "istiod looks for the Gateway API's definitions when it starts"


def test_ambient_mode_without_the_cni_agent_is_refused(world: World, settings: Settings) -> None:
    with pytest.raises(Failed, match="COMPONENTS without ambient"):
        up.up(replace(settings, components=("kind", "ambient"), skip_pull=True), world.told.append)


def test_with_skip_pull_the_cni_agent_stays_where_docker_or_the_nodes_have_it(world: World, settings: Settings) -> None:
    world.set(loaded=["hub.example/install-cni:1.30.4"])
    up.up(replace(settings, skip_pull=True), world.told.append)
    assert "cni.enabled=false" not in world.calls("istioctl install")[0]
    assert "without-cni" not in (settings.work / "kustomization.yaml").read_text()


@pytest.mark.parametrize(("nodes", "there"), [(NODES[:1], True), (NODES, True), ([], False)])
def test_with_skip_pull_an_image_is_there_if_the_nodes_for_pods_have_it(
    world: World, settings: Settings, nodes: list[str], there: bool
) -> None:
    """Of a cluster that is one node, that node is it."""
    world.set(nodes=dict.fromkeys(nodes, True), loaded=["nats:2.12"])
    assert images.reachable(replace(settings, skip_pull=True), "nats:2.12") is there


def test_with_skip_pull_an_image_that_docker_has_under_another_tag_serves(world: World, settings: Settings) -> None:
    world.set(images=["nats:2.11"])
    up.up(replace(settings, skip_pull=True), world.told.append)
    said = json.loads((settings.work / "kustomization.yaml").read_text())["images"]
    assert {"name": "nats", "newTag": "2.11"} in said
    assert "nats:2.12 is not in docker, but nats:2.11 is" in world.text


def test_where_images_are_pulled_every_one_has_the_tag_of_the_bundle(world: World, settings: Settings) -> None:
    world.set(images=["nats:2.11"])
    up.up(settings, world.told.append)
    said = json.loads((settings.work / "kustomization.yaml").read_text())["images"]
    assert {each["name"] for each in said} == {"localmesh/user", "localmesh/chat"}


def test_a_webhook_that_is_not_there_yet_is_waited_for(
    world: World, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("time.sleep", lambda _: None)
    world.set(fails={"kubectl apply": [2, 'Internal error: failed calling webhook "validation.istio.io"']})
    up.up(settings, world.told.append)
    assert len(world.calls("kubectl apply")) == 3


def test_what_is_wrong_with_the_documents_is_told_at_once(world: World, settings: Settings) -> None:
    world.set(fails={"kubectl apply": [9, 'error: strict decoding error: unknown field "spec.replcias"']})
    with pytest.raises(Failed, match="replcias"):
        up.up(settings, world.told.append)
    assert len(world.calls("kubectl apply")) == 1


def test_where_a_step_fails_its_pods_events_and_last_words_are_told(world: World, settings: Settings) -> None:
    crashed = {
        "name": "discovery",
        "ready": False,
        "restartCount": 3,
        "state": {"waiting": {"reason": "CrashLoopBackOff"}},
    }
    pods = {"items": [{"metadata": {"name": "istiod-1"}, "status": {"containerStatuses": [crashed]}}]}
    world.set(
        fails={"istioctl install": [1, "deployment istiod is not ready"]},
        answers={
            "kubectl get pods -n istio-system -o wide": ["istiod-1 0/1 CrashLoopBackOff\n"],
            "kubectl get events -n istio-system": ["Warning BackOff pod/istiod-1\n"],
            "kubectl get pods -n istio-system -o json": [json.dumps(pods)],
            "kubectl logs": ["no route to host\n"],
        },
    )
    with pytest.raises(Failed, match="istioctl install"):
        up.up(settings, world.told.append)
    for words in ("istiod-1 0/1 CrashLoopBackOff", "Warning BackOff", "--previous", "no route to host"):
        assert words in world.text
    assert world.calls("kubectl apply") == []


def test_a_program_that_does_not_end_is_ended_with_its_children(world: World) -> None:
    world.set(hangs=["docker build"])
    with pytest.raises(Failed, match=r"not done after 0.5 s: docker build"):
        commands.output(["docker", "build", "-t", "x"], limit=0.5)


def test_without_docker_nothing_is_begun(world: World, settings: Settings) -> None:
    world.without("docker")
    with pytest.raises(Failed, match="not ready for it"):
        up.up(settings, world.told.append)
    assert "docker     not on PATH" in world.text
    assert verbs(world) == []


def test_a_component_that_is_not_there_is_told_with_those_that_are(world: World, settings: Settings) -> None:
    with pytest.raises(Failed, match=r"(?s)no component 'haa'.*ha, .*jaeger, .*kind, "):
        up.up(replace(settings, components=("haa",)), world.told.append)
    assert verbs(world) == []


def test_what_the_components_share_comes_with_the_first_of_them(world: World, settings: Settings) -> None:
    up.up(settings, world.told.append)
    applied = json.loads((settings.work / "kustomization.yaml").read_text())["components"]
    ends = [each.partition("deploy/")[2] for each in applied]
    assert ends == ["observability", "components/kind", "observability/jaeger", "observability/prometheus"]


@pytest.mark.parametrize(
    ("components", "folder"), [(("kind", "jaeger"), "deploy/istio"), (("gateway-api",), "build/kind/test")]
)
def test_at_the_end_one_reads_how_to_look_and_what_to_edit(components: tuple[str, ...], folder: str) -> None:
    """What a component has taken out of deploy/istio, an edit must not bring back."""
    said = up.how_to_call(Settings.read({"CLUSTER": "test", "COMPONENTS": " ".join(components), "PORT": "9080"}))
    assert f"kubectl --context kind-test apply -k {folder}\n" in said
    assert "gateway at 127.0.0.1:9080" in said
    assert ("make kind-jaeger" in said) == ("jaeger" in components)
