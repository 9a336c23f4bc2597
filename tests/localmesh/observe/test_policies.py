"""The policy documents in force, and their history."""

from localmesh.errors import Problem, Where
from localmesh.manifests.load import loads
from localmesh.observe.policies import History, Policy, policies
from localmesh.resolve import resolve
from tests.localmesh.observe.bundle import NAMESPACE, line, workload

BUNDLE = (
    NAMESPACE
    + workload("user")
    + workload("chat")
    + """---
apiVersion: security.istio.io/v1
kind: PeerAuthentication
metadata: {name: everywhere, namespace: istio-system}
spec: {mtls: {mode: STRICT}}
---
apiVersion: security.istio.io/v1
kind: PeerAuthentication
metadata: {name: elsewhere, namespace: other}
spec: {mtls: {mode: STRICT}}
---
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {name: user, namespace: mesh}
spec: {host: user.mesh.svc.cluster.local}
---
apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: {name: user, namespace: mesh}
spec:
  selector: {matchLabels: {app: user}}
  action: DENY
  rules:
    - from: [{source: {principals: [a, b], notNamespaces: [c]}}]
      to: [{operation: {methods: [POST], paths: [/x]}}, {operation: {ports: ["1"]}}]
      when: [{key: "request.headers[x-a]", values: ["1"], notValues: ["2", "3"]}]
    - {}
"""
)


def _by_name(text: str, history: History | None = None) -> dict[str, Policy]:
    documents = loads(text, "bundle.yaml")
    return {each.name: each for each in policies(documents, resolve(documents).mesh, history or History())}


def test_a_policy_reaches_the_pods_that_it_selects_from_its_namespace_or_the_root_namespace() -> None:
    found = _by_name(BUNDLE)
    assert list(found) == ["everywhere", "elsewhere", "user"]  # the second `user`, of the two kinds, is the later
    assert found["everywhere"].pods == ("mesh/user-0", "mesh/chat-0")
    assert found["elsewhere"].pods == ()
    assert found["user"].pods == ("mesh/user-0",)


def test_what_shapes_calls_by_name_says_the_name_and_workloads_are_no_policies() -> None:
    documents = loads(BUNDLE, "bundle.yaml")
    found = policies(documents, resolve(documents).mesh, History())
    assert [each.kind for each in found] == [
        "PeerAuthentication",
        "PeerAuthentication",
        "DestinationRule",
        "AuthorizationPolicy",
    ]
    assert found[2].hosts == ("user.mesh.svc.cluster.local",)


def test_each_rule_has_its_place_and_says_what_it_asks_for() -> None:
    policy = _by_name(BUNDLE)["user"]
    assert policy.action == "DENY"
    first, second = policy.rules
    assert (first.where.file, first.where.path) == ("bundle.yaml", "spec.rules[0]")
    assert first.where.line == line(BUNDLE, "- from")
    assert first.says == (
        "from principals a | b, notNamespaces c; to methods POST, paths /x or ports 1; "
        "when request.headers[x-a] = 1 and request.headers[x-a] ≠ 2 | 3"
    )
    assert second.says == "everything"


def test_a_document_that_says_what_it_said_holds_since_it_said_so_wherever_it_stands() -> None:
    history = History().in_force(loads(BUNDLE), 1.0)
    moved = "# a comment\n" + BUNDLE.replace("host: user.", "host: chat.")
    history = history.in_force(loads(moved), 2.0)
    found = policies(loads(moved), resolve(loads(moved)).mesh, history)
    assert [each.applied_at for each in found] == [1.0, 1.0, 2.0, 1.0]


def test_a_document_that_comes_back_holds_since_it_came_back() -> None:
    without = BUNDLE[: BUNDLE.rindex("---")]
    history = History().in_force(loads(BUNDLE), 1.0).in_force(loads(without), 2.0).in_force(loads(BUNDLE), 3.0)
    assert [each.applied_at for each in _by_name(BUNDLE, history).values()] == [1.0, 1.0, 3.0]


def test_the_last_refusal_is_told_of_the_document_that_it_was_for_also_after_it_was_mended() -> None:
    wrong = Problem(Where("bundle.yaml", line(BUNDLE, "action: DENY")), "no")
    worse = Problem(Where("bundle.yaml", line(BUNDLE, "from:")), "still no")
    other = Problem(Where("bundle.yaml", line(BUNDLE, "{host:")), "not here")
    texts = {"bundle.yaml": BUNDLE}
    history = History().in_force(loads(BUNDLE), 1.0).refused([wrong, other], 2.0, texts).refused([worse], 3.0, texts)
    documents = loads(BUNDLE, "bundle.yaml")
    found = policies(documents, resolve(documents).mesh, history.in_force(documents, 4.0))
    told = [(each.refused.at, each.refused.problems) if each.refused else None for each in found]
    assert told == [None, None, (2.0, (other,)), (3.0, (worse,))]


def test_a_problem_of_no_known_document_is_told_of_the_whole_file_and_of_no_other() -> None:
    history = History().refused([Problem(Where("bundle.yaml"), "not YAML")], 2.0, {"bundle.yaml": BUNDLE})
    assert all(each.refused for each in _by_name(BUNDLE, history).values())
    history = History().refused([Problem(Where("other.yaml"), "no")], 1.0, {})
    assert not any(each.refused for each in _by_name(BUNDLE, history).values())


def test_a_refused_document_that_was_never_in_force_says_nothing_of_its_neighbours() -> None:
    text = BUNDLE + "---\nkind: Sidecar\nmetadata:\n  name: new\nspec: {nonsense: 1}\n"
    history = History().refused(
        [Problem(Where("bundle.yaml", len(text.splitlines())), "no")], 1.0, {"bundle.yaml": text}
    )
    assert not any(each.refused for each in _by_name(BUNDLE, history).values())
