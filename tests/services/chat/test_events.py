"""Events keep their encodings, and those join."""

from protos.chat.v1 import chat_pb2
from services.chat.events import RESPONSE_BYTES, Event, Joining, from_proto, joined, to_proto
from tests.services.chat.samples import events, message


def test_joined_events_are_one_valid_response() -> None:
    [(data, last)] = joined(events(3, 4, 5))
    response = chat_pb2.WatchRoomResponse.FromString(data)
    assert [one.sequence for one in response.messages] == [3, 4, 5]
    assert from_proto(response.messages[0]) == message(3)
    assert last == 5


def test_joined_responses_stay_below_what_a_client_takes() -> None:
    many = [Event(message(sequence, text="€" * 4000)) for sequence in range(1, 301)]
    responses = list(joined(many))
    assert len(responses) > 1
    assert all(len(data) <= RESPONSE_BYTES for data, _ in responses)
    sequences = [one.sequence for data, _ in responses for one in chat_pb2.WatchRoomResponse.FromString(data).messages]
    assert sequences == list(range(1, 301))
    assert [last for _, last in responses][-1] == 300


def test_nothing_joins_to_nothing() -> None:
    assert list(joined([])) == []


def test_an_event_is_encoded_once() -> None:
    [event] = events(1)
    assert event.element is event.element
    assert event.reply is event.reply


def test_a_chat_response_says_what_the_message_says() -> None:
    reply = chat_pb2.ChatResponse.FromString(events(9)[0].reply)
    assert (reply.text, reply.room, reply.message_id, reply.sequence) == ("hello", "lobby", "id-9", 9)
    assert (reply.sender_id, reply.sender_name) == ("sender", "Ada")
    assert reply.create_time == to_proto(message(9)).create_time
    assert reply.kind == chat_pb2.ChatResponse.KIND_UNSPECIFIED


def test_what_the_broker_carries_is_read_back() -> None:
    [event] = events(2)
    assert Event.decode(event.encode()) == event


def test_what_the_broker_carries_is_what_readers_get_without_being_made_again() -> None:
    [event] = events(2)
    read = Event.decode(data := event.encode())
    assert read is not None
    assert read.element is data


def test_readers_at_the_same_place_share_one_response() -> None:
    joining = Joining()
    [(one, last)] = joining.of(events(3, 4))
    [(other, same)] = joining.of(events(3, 4))
    assert other is one
    assert (last, same) == (4, 4)


def test_readers_at_other_places_get_what_is_theirs() -> None:
    joining = Joining()
    for sequences in ((3, 4), (3, 4, 5), (4, 5), (3, 4)):
        assert list(joining.of(events(*sequences))) == list(joined(events(*sequences)))


def test_what_takes_several_responses_is_not_kept() -> None:
    joining, many = Joining(), [Event(message(sequence, text="€" * 4000)) for sequence in range(1, 301)]
    assert list(joining.of(many)) == list(joining.of(many)) == list(joined(many))


def test_what_we_did_not_publish_is_no_event() -> None:
    assert Event.decode(b"\xff\xff") is None
    assert Event.decode(b"") is None
    [(two, _)] = joined(events(1, 2))
    assert Event.decode(two) is None
