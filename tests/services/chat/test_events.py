"""Events keep their encodings, and those join."""

from protos.chat.v1 import chat_pb2
from services.chat.events import RESPONSE_BYTES, Event, from_proto, joined, to_proto
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


def test_what_we_did_not_publish_is_no_event() -> None:
    assert Event.decode(b"\xff\xff") is None
    assert Event.decode(b"") is None
    [(two, _)] = joined(events(1, 2))
    assert Event.decode(two) is None
