"""Documents become records field by field; what does not fit is told at its place."""

from dataclasses import FrozenInstanceError, dataclass
from typing import Literal

import pytest
import yaml

from localmesh.errors import Problems
from localmesh.manifests.decode import decode_document
from localmesh.manifests.istio import DestinationRule, PeerAuthentication, VirtualService
from localmesh.manifests.kubernetes import ConfigMap, Secret
from localmesh.manifests.record import Duration, Record
from tests.localmesh.manifests.documents import accepted, document, refused

ROUTES = """
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata:
  name: chat
  namespace: mesh
spec:
  hosts: [chat, chat.example.com]
  http:
  - match:
    - uri: {prefix: /a}
      headers:
        x-room: {exact: lobby}
        x-any: {}
    timeout: 1.5s
    retries: {attempts: 0}
    route:
    - destination:
        host: chat
        subset: v1
      weight: 90
    - destination: {host: chat, subset: v2}
      weight: 0
"""


def the_virtual_service() -> VirtualService:
    (only,) = accepted(ROUTES).of(VirtualService)
    return only


def test_a_document_becomes_a_record_of_records() -> None:
    route = the_virtual_service().spec.http[0]
    assert route.timeout == 1.5
    assert [each.destination.subset for each in route.route] == ["v1", "v2"]
    assert route.match[0].headers["x-room"].exact == "lobby"


def test_absent_is_not_zero() -> None:
    route = the_virtual_service().spec.http[0]
    assert route.retries is not None
    assert (route.retries.attempts, route.retries.per_try_timeout) == (0, None)
    assert (route.route[1].weight, route.mirror_percent) == (0, None)


def test_an_empty_string_match_is_present() -> None:
    match = the_virtual_service().spec.http[0].match[0]
    assert match.headers["x-any"].exact is None
    assert match.authority is None


def test_every_record_knows_its_place_and_its_path() -> None:
    destination = the_virtual_service().spec.http[0].route[0].destination
    assert (destination.where.line, destination.where.path) == (19, "spec.http[0].route[0].destination")


def test_every_field_and_item_has_a_place_of_its_own() -> None:
    spec = the_virtual_service().spec
    subset = spec.http[0].route[0].destination.at("subset")
    assert (subset.line, subset.column, subset.path) == (20, 17, "spec.http[0].route[0].destination.subset")
    host = spec.at("hosts", 1)
    assert (host.line, host.column, host.path) == (8, 17, "spec.hosts[1]")
    header = spec.http[0].match[0].at("headers", "x-room")
    assert (header.line, header.path) == (13, "spec.http[0].match[0].headers[x-room]")
    assert str(spec.http[0].at("direct_response")) == "it.yaml:10: spec.http[0].directResponse"


def test_records_cannot_be_changed() -> None:
    record = the_virtual_service()
    with pytest.raises(FrozenInstanceError):
        record.spec.hosts = ()  # type: ignore[misc]
    with pytest.raises(TypeError):
        record.spec.http[0].match[0].headers["new"] = None  # type: ignore[index]


def test_two_records_that_say_the_same_are_equal_wherever_they_stand() -> None:
    one = accepted("\n\n" + ROUTES).of(VirtualService)
    assert one == accepted(ROUTES).of(VirtualService)


@pytest.mark.parametrize(
    ("spec", "path", "words"),
    [
        ("{hosts: [a], htpp: []}", "spec.htpp", 'no field "htpp" (did you mean "http"?)'),
        ("{hosts: [a], http: [{timout: 3s}]}", "spec.http[0].timout", 'did you mean "timeout"?'),
        ("{hosts: [a], http: [{retries: {retry_on: 5xx}}]}", "spec.http[0].retries.retry_on", '"retryOn"'),
        ("{hosts: a}", "spec.hosts", 'expected a list, not the text "a" (write [a])'),
        ("{hosts: {a: b}}", "spec.hosts", "expected a list, not a mapping"),
        ("{hosts: [5]}", "spec.hosts[0]", 'expected text, not the number 5 (write "5" with quotes)'),
        ("{hosts: [yes]}", "spec.hosts[0]", "not the boolean yes"),
        ("{hosts: [~]}", "spec.hosts[0]", "this item of the list is empty"),
        ("{http: [5]}", "spec.http[0]", "expected a mapping (HTTPRoute), not the number 5"),
        ("{http: [{timeout: 3}]}", "spec.http[0].timeout", "the unit is missing (write 3s)"),
        ("{http: [{timeout: 3sec}]}", "spec.http[0].timeout", 'there is no unit "sec"'),
        ("{http: [{timeout: [3s]}]}", "spec.http[0].timeout", "expected a duration such as 3s, not a list"),
        ("{http: [{timeout: 0s}]}", "spec.http[0].timeout", "too short: 1ms is the least"),
        ("{http: [{timeout: 1.5ms}]}", "spec.http[0].timeout", "too fine"),
        ("{http: [{retries: {attempts: '2'}}]}", "spec.http[0].retries.attempts", "remove the quotes"),
        ("{http: [{retries: {attempts: 2.5}}]}", "spec.http[0].retries.attempts", "not the number 2.5"),
        ("{http: [{retries: {attempts: 3000000000}}]}", "spec.http[0].retries.attempts", "is not a number"),
        ("{http: [{match: [{ignoreUriCase: 'true'}]}]}", "spec.http[0].match[0].ignoreUriCase", "true or false"),
        ("{http: [{mirrorPercentage: {value: x}}]}", "spec.http[0].mirrorPercentage.value", "expected a number"),
        ("{http: [{route: [{weight: 1}]}]}", "spec.http[0].route[0]", "destination is missing"),
        ("{http: [{headers: {request: {set: [a]}}}]}", "spec.http[0].headers.request.set", "expected a mapping"),
        (
            "{http: [{corsPolicy: {unmatchedPreflights: IGNOR}}]}",
            "spec.http[0].corsPolicy.unmatchedPreflights",
            'did you mean "IGNORE"? one of UNSPECIFIED, FORWARD, IGNORE',
        ),
        ("{http: [{match: [{uri: {exact: /a, prefix: /b}}]}]}", "spec.http[0].match[0].uri", "only one of"),
        (
            "{http: [{directResponse: {status: 200, body: {bytes: '!'}}}]}",
            "spec.http[0].directResponse.body.bytes",
            "base64",
        ),
        ("{hosts: [a], hosts: [b]}", "spec.hosts", '"hosts" is written twice, first on line 4'),
    ],
)
def test_what_does_not_fit_is_told_at_its_place(spec: str, path: str, words: str) -> None:
    (problem,) = [each for each in refused(document("VirtualService", spec)) if each.where.path == path]
    assert words in str(problem)
    assert problem.where.line == 4


def test_all_that_is_wrong_is_told_at_once() -> None:
    problems = refused(document("VirtualService", "{hosts: 5, http: [{timeout: 3, retries: {attempts: a}}], tls: x}"))
    assert [each.where.path for each in problems] == [
        "spec.hosts",
        "spec.http[0].timeout",
        "spec.http[0].retries.attempts",
        "spec.tls",
    ]


def test_a_value_out_of_bounds_does_not_hide_what_is_wrong_elsewhere() -> None:
    problems = refused(document("VirtualService", "{hosts: [a!], http: [{redirect: {}, timeout: 0s}]}"))
    assert {each.where.path for each in problems} == {"spec.hosts[0]", "spec.http[0].redirect", "spec.http[0].timeout"}


def test_an_unknown_field_gives_no_further_guesses_about_its_document() -> None:
    (problem,) = refused(document("VirtualService", "{hosts: [a], htpp: [{route: []}]}"))
    assert problem.where.path == "spec.htpp"


def test_null_is_absent() -> None:
    (rule,) = accepted(document("DestinationRule", "{host: a, trafficPolicy: , subsets: null}")).of(DestinationRule)
    assert (rule.spec.traffic_policy, rule.spec.subsets) == (None, ())


def test_the_two_older_spellings_that_the_crds_take_are_taken() -> None:
    text = document("VirtualService", "{hosts: [a], http: [{route: [{destination: {host: a}}], mirror_percent: 5}]}")
    assert accepted(text).of(VirtualService)[0].spec.http[0].mirror_percent == 5


def test_map_keys_may_be_numbers() -> None:
    spec = "{selector: {matchLabels: {app: a}}, portLevelMtls: {'80': {mode: STRICT}, 90: {mode: DISABLE}}}"
    (policy,) = accepted(document("PeerAuthentication", spec)).of(PeerAuthentication)
    assert policy.spec.port_level_mtls is not None
    assert sorted(policy.spec.port_level_mtls) == [80, 90]


def test_an_empty_map_is_told_from_an_absent_one_where_istiod_tells_them() -> None:
    (policy,) = accepted(document("PeerAuthentication", "{}")).of(PeerAuthentication)
    assert policy.spec.port_level_mtls is None
    assert "portLevelMtls is empty" in str(refused(document("PeerAuthentication", "{portLevelMtls: {}}"))[0])


def test_aliases_and_merge_keys_are_followed() -> None:
    text = """
    apiVersion: v1
    kind: ConfigMap
    metadata: {name: a, labels: &labels {app: x, tier: one}, annotations: *labels}
    data: {<<: {k: base, j: base}, k: own}
    """
    (config,) = accepted(text).of(ConfigMap)
    assert config.metadata.annotations == {"app": "x", "tier": "one"}
    assert config.data == {"k": "own", "j": "base"}


def test_secrets_are_decoded_and_never_shown() -> None:
    text = "apiVersion: v1\nkind: Secret\nmetadata: {name: a}\ndata: {k: aHVzaA==}\nstringData: {p: hush}\n"
    (secret,) = accepted(text).of(Secret)
    assert (secret.data["k"], secret.string_data["p"]) == (b"hush", "hush")
    assert "hush" not in repr(secret)
    assert "hush!" not in str(refused(text.replace("aHVzaA==", "hush!"))[0])


@dataclass(frozen=True, slots=True, kw_only=True)
class Own(Record):
    """A record of another part."""

    EXACTLY_ONE = ("left", "right")

    mode: Literal["a", "b"]
    left: Duration | None = None
    right: str | None = None


def decode_own(text: str) -> Own:
    node = yaml.compose(text, yaml.CSafeLoader)
    assert node is not None
    return decode_document(node, Own, "own.yaml")


def test_another_part_can_decode_records_of_its_own() -> None:
    assert decode_own("{mode: a, left: 2s}") == Own(mode="a", left=2.0)


def test_one_of_the_needed_alternatives_must_be_set() -> None:
    with pytest.raises(Problems, match="one of left, right is needed"):
        decode_own("{mode: a}")
    with pytest.raises(Problems, match="only one of left and right"):
        decode_own("{mode: a, left: 1s, right: x}")
