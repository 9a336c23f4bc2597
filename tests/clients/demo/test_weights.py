"""The canary's weights are read and changed as text, and nothing else changes."""

import difflib

import pytest

from clients import keys
from clients.demo.weights import Weights, all_to
from clients.failure import Failure

POLICY = """\
# a comment: weight: 7
      route: &canary
        - destination: {host: user, subset: v1}
          weight: 90 # most
        - destination:
            host: user
            subset: v2
          weight: 10
"""


def test_weights_are_shares_of_the_whole() -> None:
    assert Weights.of(POLICY).shares() == {"v1": 0.9, "v2": 0.1}
    assert Weights.of(POLICY).least() == "v2"


def test_only_the_weights_change() -> None:
    edited = all_to(POLICY, "v2")
    assert Weights.of(edited).shares() == {"v1": 0, "v2": 1}
    changed = [line for line in difflib.ndiff(POLICY.splitlines(), edited.splitlines()) if line[0] in "+-"]
    assert [line.strip("- +") for line in changed] == [
        "weight: 90 # most",
        "weight: 0 # most",
        "weight: 10",
        "weight: 100",
    ]


def test_our_own_policy_has_weights_to_change() -> None:
    text = (keys.repository() / "deploy/istio/user.yaml").read_text()
    shares = Weights.of(all_to(text, "v2")).shares()
    assert shares["v2"] == 1


def test_a_policy_without_a_canary_is_told() -> None:
    with pytest.raises(Failure, match="no two subsets"):
        Weights.of("route: []")
