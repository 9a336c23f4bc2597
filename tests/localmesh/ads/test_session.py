"""One proxy's stream, request by request."""

from localmesh.ads.session import Session
from localmesh.xds.snapshot import CLUSTER, ENDPOINT, LISTENER, ROUTE, Snapshot
from tests.localmesh.ads.proxies import ack, ask, nack, names, snapshot

FIRST = snapshot(clusters="a b", endpoints="a b", listeners="in", routes="r")


def started(first: Snapshot = FIRST) -> Session:
    """A session whose proxy has taken `first` in, as Envoy does at its start."""
    session = Session()
    session.offer(first)
    for url, wanted in ((CLUSTER, ""), (ENDPOINT, "a b"), (LISTENER, ""), (ROUTE, "r")):
        (response,) = session.receive(ask(url, wanted))
        assert session.receive(ack(response, wanted)) == []
    # Envoy asks again for the endpoints of clusters that came after them; here they came first.
    assert session.settled
    return session


def test_a_request_before_any_snapshot_is_answered_when_one_comes() -> None:
    session = Session()
    assert session.receive(ask(CLUSTER)) == []
    assert not session.settled
    (response,) = session.offer(FIRST)
    assert names(response) == ["a", "b"]


def test_clusters_that_are_none_are_an_answer_too() -> None:
    session = Session()
    session.offer(snapshot())
    (response,) = session.receive(ask(CLUSTER))
    assert names(response) == []


def test_a_type_is_settled_by_its_ack_and_not_before() -> None:
    session = Session()
    session.offer(FIRST)
    (response,) = session.receive(ask(CLUSTER))
    assert not session.settled
    assert session.receive(ack(response)) == []
    assert session.settled


def test_the_same_content_is_not_sent_twice() -> None:
    session = started()
    assert session.offer(snapshot(clusters="a b", endpoints="a b", listeners="in", routes="r")) == []
    assert session.settled


def test_only_types_whose_content_differs_are_sent() -> None:
    session = started()
    (response,) = session.offer(snapshot(clusters="a b", endpoints="a b", listeners="in", routes="r!"))
    assert (response.type_url, names(response)) == (ROUTE, ["r"])


def test_clusters_come_whole_and_endpoints_only_where_they_changed() -> None:
    session = started()
    (endpoints,) = session.offer(snapshot(clusters="a b", endpoints="a b!", listeners="in", routes="r"))
    assert names(endpoints) == ["b"]
    session.receive(ack(endpoints, "a b"))
    (clusters,) = session.offer(snapshot(clusters="a! b", endpoints="a b!", listeners="in", routes="r"))
    assert names(clusters) == ["a", "b"]


def test_what_is_not_subscribed_to_is_not_sent() -> None:
    session = started()
    assert session.offer(snapshot(clusters="a b", endpoints="a b", listeners="in", routes="r other")) == []


def test_a_subscription_that_grows_is_answered_with_what_is_new() -> None:
    session = Session()
    session.offer(FIRST)
    (response,) = session.receive(ask(ENDPOINT, "a"))
    (more,) = session.receive(ack(response, "a b"))
    assert names(more) == ["b"]
    assert session.receive(ack(more, "a b")) == []
    assert session.settled


def test_a_name_given_up_and_asked_for_again_is_sent_again() -> None:
    session = Session()
    session.offer(FIRST)
    (response,) = session.receive(ask(ENDPOINT, "a b"))
    assert session.receive(ack(response, "a")) == []
    (again,) = session.receive(ack(response, "a b"))
    assert names(again) == ["b"]


def test_routes_wait_until_the_clusters_are_acknowledged() -> None:
    """Envoy acknowledges clusters when they are warm, for which it needs their endpoints."""
    session = started()
    (clusters,) = session.offer(snapshot(clusters="a b c", endpoints="a b c", listeners="in!", routes="r!"))
    assert clusters.type_url == CLUSTER
    endpoint_request = ask(ENDPOINT, "a b c")
    endpoint_request.response_nonce = session._subscriptions[ENDPOINT].nonce
    (endpoints,) = session.receive(endpoint_request)
    assert endpoints.type_url == ENDPOINT
    assert session.receive(ack(endpoints, "a b c")) == []
    rest = session.receive(ack(clusters))
    assert [response.type_url for response in rest] == [LISTENER, ROUTE]


def test_after_clusters_the_next_request_for_endpoints_is_answered_though_they_are_the_same() -> None:
    """A changed cluster warms up anew: without this answer it would wait for its initial fetch timeout."""
    session = started()
    (clusters,) = session.offer(snapshot(clusters="a! b", endpoints="a b", listeners="in", routes="r"))
    request = ask(ENDPOINT, "a b")
    request.response_nonce = session._subscriptions[ENDPOINT].nonce
    (endpoints,) = session.receive(request)
    assert names(endpoints) == ["a", "b"]
    assert session.receive(ack(endpoints, "a b")) == []
    assert session.receive(ack(clusters)) == []
    assert session.settled


def test_an_answer_to_an_earlier_response_is_passed_over() -> None:
    session = started()
    (early,) = session.offer(snapshot(clusters="a b", endpoints="a b", listeners="in", routes="r!"))
    (late,) = session.offer(snapshot(clusters="a b", endpoints="a b", listeners="in", routes="r"))
    assert session.receive(nack(early, "no", "r")) == []
    assert session.nack is None
    assert not session.settled
    session.receive(ack(late, "r"))
    assert session.settled


def test_a_nack_says_node_type_names_and_message() -> None:
    session = started()
    (response,) = session.offer(snapshot(clusters="a! b!", endpoints="a b", listeners="in", routes="r"))
    session.receive(nack(response, "Error adding/updating cluster(s) b: connect timeout"))
    assert session.nack is not None
    assert (session.nack.node, session.nack.type_url, session.nack.names) == ("pod", CLUSTER, ("b",))
    assert "connect timeout" in session.nack.message
    assert not session.settled


def test_after_a_nack_nothing_more_of_that_snapshot_is_sent_and_the_rollback_is() -> None:
    session = started()
    (clusters,) = session.offer(snapshot(clusters="a! b", endpoints="a b", listeners="in", routes="r!"))
    assert session.receive(nack(clusters, "no")) == []
    (rollback,) = session.offer(FIRST)
    assert (rollback.type_url, names(rollback)) == (CLUSTER, ["a", "b"])
    session.receive(ack(rollback))
    assert session.settled
    assert session.nack is None


def test_equal_content_has_an_equal_version_on_every_stream() -> None:
    one, other = Session(), Session()
    one.offer(FIRST)
    other.offer(snapshot(clusters="b a"))
    (first,), (second,) = one.receive(ask(CLUSTER)), other.receive(ask(CLUSTER))
    assert first.version_info == second.version_info
