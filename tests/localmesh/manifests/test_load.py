"""Files and folders become Documents, and everything wrong in any of them is raised at once."""

from pathlib import Path

import pytest

from localmesh.errors import Problems
from localmesh.manifests import load
from localmesh.manifests.istio import Gateway, VirtualService
from localmesh.manifests.kubernetes import Namespace, Pod, Service
from localmesh.manifests.record import Record
from localmesh.memo import Memo
from tests.localmesh.manifests.documents import accepted, document, refused

NAMESPACE = "apiVersion: v1\nkind: Namespace\nmetadata: {name: %s}\n"


def write(folder: Path, **files: str) -> Path:
    for name, text in files.items():
        path = folder / name.replace("__", "/").replace("_", ".")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return folder


def test_folders_are_read_to_the_bottom_in_order_of_names(tmp_path: Path) -> None:
    write(tmp_path, b_yaml=NAMESPACE % "b", a__z_yml=NAMESPACE % "z", c_txt="not: [yaml")
    (tmp_path / "c.json").write_text('{"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "c"}}')
    write(tmp_path / ".hidden", d_yaml="not: [yaml")
    assert [each.name for each in load([tmp_path]).of(Namespace)] == ["z", "b", "c"]


def test_a_component_of_kustomize_is_read_only_where_it_is_named(tmp_path: Path) -> None:
    """It changes what others apply, if they ask for it; a Kustomization only lists what is there."""
    write(
        tmp_path,
        a_yaml=NAMESPACE % "a",
        kustomization_yaml="apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\n",
    )
    component = "apiVersion: kustomize.config.k8s.io/v1alpha1\nkind: Component\n"
    write(
        tmp_path / "parts" / "one", kustomization_yaml=component, b_yaml=NAMESPACE % "b", deeper__c_yaml=NAMESPACE % "c"
    )
    assert [each.name for each in load([tmp_path]).of(Namespace)] == ["a"]
    assert [each.name for each in load([tmp_path / "parts" / "one"]).of(Namespace)] == ["b", "c"]


def test_a_file_named_twice_is_read_once(tmp_path: Path) -> None:
    write(tmp_path, a_yaml=NAMESPACE % "a")
    assert len(load([tmp_path, tmp_path / "a.yaml", str(tmp_path)]).resources) == 1


def test_a_file_holds_many_documents_and_empty_ones_are_nothing() -> None:
    text = "---\n---\n# nothing\n---\n" + NAMESPACE % "a" + "---\n" + NAMESPACE % "b"
    assert [each.where.line for each in accepted(text).of(Namespace)] == [5, 9]


def test_the_problems_of_all_files_are_raised_together(tmp_path: Path) -> None:
    write(tmp_path, a_yaml="a: [", b_yaml=document("VirtualService", "{hosts: 1}"), c_yaml=NAMESPACE % "c")
    with pytest.raises(Problems) as raised:
        load([tmp_path, tmp_path / "none.yaml"])
    assert [Path(each.where.file).name for each in raised.value.problems] == ["a.yaml", "b.yaml", "none.yaml"]
    assert "there is no such file" in str(raised.value.problems[2])


def test_a_folder_without_a_file_to_read_is_told(tmp_path: Path) -> None:
    write(tmp_path, notes_txt="nothing")
    with pytest.raises(Problems, match="there is no YAML file in this folder"):
        load([tmp_path])


@pytest.mark.parametrize("text", ["data: " + "[" * 200_000, "- " * 200_000, "? " * 200_000, "{a: " * 200_000])
def test_nesting_without_end_is_told_and_overflows_no_stack(tmp_path: Path, text: str) -> None:
    write(tmp_path, a_yaml=f"# one\n{text}")
    with pytest.raises(Problems) as raised:
        load([tmp_path])
    (problem,) = raised.value.problems
    assert (problem.where.line, "nested too deeply" in problem.what) == (2, True)


def test_a_file_that_is_not_text_is_told(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(Problems, match="cannot be read"):
        load([tmp_path])


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        ("a: 1\n\tb: 2\n", 2, "indent with spaces, not tabs"),
        ("a: {b: [\n", 2, "not YAML"),
        ("a: b: c\n", 1, "mapping values are not allowed"),
        ("- a\n", 1, "a document must be a mapping, not a list"),
        ("word\n", 1, 'not the text "word"'),
        ("a: \x07\n", 0, "not YAML"),
        ("a: *none\n", 1, "undefined alias"),
        ("spec: {}\n", 1, "apiVersion and kind are missing"),
        ("kind: Deployment\n", 1, "apiVersion is missing (Deployment is of apiVersion apps/v1)"),
        ("apiVersion: v1\n", 1, "kind is missing"),
        ("apiVersion: v1\nkind: Servce\n", 1, 'did you mean "Service"?'),
        ("apiVersion: v1\nkind: VirtualService\n", 1, "VirtualService is of apiVersion networking.istio.io/v1"),
        ("apiVersion: networking.istio.io/v9\nkind: Gateway\n", 1, "one of v1, v1beta1, v1alpha3"),
        ("apiVersion: v1\nkind: Namespace\n", 1, "every document needs a name"),
        ("apiVersion: v1\nkind: Namespace\nmetadata: {name: ../up}\n", 3, '"../up" is not a name'),
        ("apiVersion: v1\nkind: Namespace\nmetadata: {name: a}\n? [a]\n: b\n", 4, "a key must be text"),
        ("apiVersion: v1\nkind: Namespace\nmetadata: {name: a}\nextra: 1\n", 4, 'no field "extra"'),
    ],
)
def test_what_is_no_document_is_told_with_its_line(text: str, line: int, words: str) -> None:
    problem = refused(text)[0]
    assert problem.where.line == line
    assert words in str(problem)


def test_a_list_of_a_cluster_is_its_items() -> None:
    text = """
    apiVersion: v1
    kind: List
    metadata: {resourceVersion: ""}
    items:
    - apiVersion: v1
      kind: Service
      metadata:
        name: user
        namespace: mesh
        uid: 6f0c
        resourceVersion: "12"
        generation: 1
        creationTimestamp: 2026-01-01T00:00:00Z
        managedFields: [{manager: kubectl, operation: Update, fieldsV1: {"f:spec": {}}}]
      spec: {clusterIP: None, ports: [{name: grpc, port: 80, targetPort: grpc, nodePort: 30001}]}
      status: {loadBalancer: {}}
    - apiVersion: v1
      kind: Pod
      metadata:
        name: user-0
        namespace: mesh
        ownerReferences: [{apiVersion: apps/v1, kind: ReplicaSet, name: user, uid: x}]
      spec: {containers: [{name: user}], nodeName: a, tolerations: [{key: a}]}
      status: {phase: Running, podIP: 10.0.0.1, podIPs: [{ip: 10.0.0.1}], conditions: [{type: Ready, status: "True"}]}
    """
    documents = accepted(text)
    (service,) = documents.of(Service)
    assert (service.spec.cluster_ip, service.spec.ports[0].target_port) == ("None", "grpc")
    assert service.metadata.creation_timestamp == "2026-01-01T00:00:00Z"
    assert service.spec.where.path == "items[0].spec"
    (pod,) = documents.of(Pod)
    assert pod.status is not None
    assert (pod.status.pod_ip, pod.status.conditions[0].status) == ("10.0.0.1", "True")
    assert pod.metadata.owner_references[0].kind == "ReplicaSet"


def test_the_same_object_twice_is_told_with_both_places(tmp_path: Path) -> None:
    text = document("VirtualService", "{hosts: [a], http: [{route: [{destination: {host: a}}]}]}")
    write(tmp_path, a_yaml=text, b_yaml="# again\n" + text.replace("istio.io/v1", "istio.io/v1beta1"))
    with pytest.raises(Problems) as raised:
        load([tmp_path])
    (problem,) = raised.value.problems
    assert "VirtualService mesh/it is written twice" in problem.what
    assert "a.yaml:1" in problem.hint
    assert str(problem.where).endswith("b.yaml:2")


def test_the_same_name_in_another_namespace_or_kind_is_another_object() -> None:
    text = document("Sidecar", '{egress: [{hosts: ["./*"]}]}')
    both = text + "---\n" + text.replace("namespace: mesh", "namespace: other")
    assert len(accepted(both + "---\n" + NAMESPACE % "it").resources) == 3


def test_kinds_without_local_meaning_are_listed_with_a_reason() -> None:
    text = "apiVersion: autoscaling/v2\nkind: HorizontalPodAutoscaler\nmetadata: {name: user}\nspec: {any: thing}\n"
    (skipped,) = accepted(text).skipped
    assert (skipped.kind, skipped.name, skipped.where.line) == ("HorizontalPodAutoscaler", "user", 1)
    assert "localmesh scale" in skipped.reason


@pytest.mark.parametrize(
    ("api_version", "kind"),
    [
        ("extensions.istio.io/v1alpha1", "WasmPlugin"),
        ("gateway.networking.k8s.io/v1alpha2", "TCPRoute"),
        ("gateway.networking.k8s.io/v1", "TLSRoute"),
        ("networking.k8s.io/v1", "Ingress"),
    ],
)
def test_kinds_that_need_a_cluster_are_refused_by_name(api_version: str, kind: str) -> None:
    (problem,) = refused(f"apiVersion: {api_version}\nkind: {kind}\nmetadata: {{name: a}}\nspec: {{}}\n")
    assert problem.what == f"{kind} runs in the cluster, not locally"
    assert problem.hint


def test_istio_and_the_gateway_api_both_have_a_gateway() -> None:
    spec = '{servers: [{port: {number: 80, name: http, protocol: HTTP}, hosts: ["*"]}]}'
    assert len(accepted(document("Gateway", spec)).of(Gateway)) == 1


def test_the_mesh_configuration_comes_from_mesh_yaml_or_an_istio_operator() -> None:
    bare = accepted("accessLogFile: /dev/stdout\nenableAutoMtls: false\n", "deploy/mesh.yaml").mesh_config
    assert bare is not None
    assert (bare.access_log_file, bare.enable_auto_mtls, bare.trust_domain) == ("/dev/stdout", False, None)
    text = """
    apiVersion: install.istio.io/v1alpha1
    kind: IstioOperator
    metadata: {name: istio}
    spec:
      profile: minimal
      values: {global: {proxy: {any: thing}}}
      meshConfig:
        pathNormalization: {normalization: MERGE_SLASHES}
        defaultConfig: {discoveryAddress: "istiod:15012", tracing: {sampling: 5}}
        meshMTLS: {minProtocolVersion: TLSV1_3}
        extensionProviders:
        - name: log
          envoyFileAccessLog: {path: /dev/stderr, logFormat: {labels: {status: "%RESPONSE_CODE%", n: {x: 1}}}}
    """
    config = accepted(text).mesh_config
    assert config is not None
    assert config.path_normalization is not None
    assert config.path_normalization.normalization == "MERGE_SLASHES"
    assert config.mesh_mtls is not None
    log = config.extension_providers[0].envoy_file_access_log
    assert log is not None
    assert log.log_format is not None
    assert log.log_format.labels == {"status": "%RESPONSE_CODE%", "n": {"x": 1}}


def test_there_is_one_mesh_configuration(tmp_path: Path) -> None:
    write(tmp_path, a__mesh_yaml="trustDomain: a\n", b__mesh_yaml="trustDomain: b\n")
    with pytest.raises(Problems, match="a second mesh configuration"):
        load([tmp_path])


def test_an_empty_mesh_yaml_sets_nothing() -> None:
    assert accepted("{}\n", "mesh.yaml").mesh_config is not None


def test_the_local_run_document_is_handed_on_undecoded() -> None:
    documents = accepted("apiVersion: localmesh/v1alpha1\nkind: LocalRun\nimages: {a: {command: [x]}}\n")
    assert documents.local is not None
    with pytest.raises(Problems) as raised:
        documents.local.decode(Record)
    assert {each.where.path for each in raised.value.problems} == {"apiVersion", "kind", "images"}


def test_a_thousand_documents_keep_their_order_and_place() -> None:
    one = document("VirtualService", "{hosts: [a], http: [{route: [{destination: {host: a}}]}]}", name="s%04d")
    text = "---\n".join(one % number for number in range(1000))
    found = accepted(text).of(VirtualService)
    assert [each.name for each in found] == [f"s{number:04d}" for number in range(1000)]
    assert found[-1].where.line == 999 * 5 + 1


def test_of_a_saved_file_those_documents_are_read_again_that_say_something_else_or_have_moved(tmp_path: Path) -> None:
    file, memo = tmp_path / "names.yaml", Memo()
    names = [NAMESPACE % name for name in "abcd"]

    def read() -> list[tuple[int, int]]:
        memo.next_round()
        file.write_text("---\n".join(names))
        return [(id(each), each.where.line) for each in load([tmp_path], memo).of(Namespace)]

    before = read()
    names[1] = NAMESPACE % "x"
    other = read()
    assert [one == two for one, two in zip(before, other, strict=True)] == [True, False, True, True]
    names[2] = f"# pushed down\n{names[2]}"
    moved = read()
    assert [one == two for one, two in zip(other, moved, strict=True)] == [True, True, False, False]
    assert [line for _, line in moved] == [1, 5, 10, 14]


@pytest.mark.parametrize(
    ("text", "line", "what"),
    [
        ("a: [1\n---\nb: 2\n", 2, "did not find expected ',' or ']'"),
        ("a: 1\n---\nb: 'no end\n---\nc: 3\n", 4, "found unexpected document indicator"),
        ("%YAML 1.1\n---\na: 1\n---\nb: [\n", 6, "did not find expected node content"),
        ("a: |\n  text\n--- b: 1\n--- }\n", 3, "mapping values are not allowed"),
    ],
)
def test_what_is_no_yaml_is_told_where_it_is_in_the_whole_file(text: str, line: int, what: str) -> None:
    (problem,) = [each for each in refused(text) if "not YAML" in each.what]
    assert (problem.where.line, what in problem.what) == (line, True), str(problem)
