"""What the chat service counts beside the calls themselves."""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

OPEN_ROOMS = Gauge("chat_open_rooms", "Rooms with at least one reader at this replica.", registry=None)
READERS = Gauge("chat_readers", "Open streams that read a room.", registry=None)
DELIVERIES = Counter("chat_deliveries_total", "Messages handed to readers.", registry=None)
SLOW_READERS = Counter("chat_slow_readers_total", "Readers cut because they took too little.", registry=None)
FILLED = Counter(
    "chat_filled_total", "Messages of live rooms that came from the record because the broker lost them.", registry=None
)
COMMITS = Histogram(
    "chat_commit_messages",
    "Messages that went into one commit.",
    buckets=(1, 2, 4, 8, 16, 32, 64, 128, 256, 512),
    registry=None,
)
EVENTS_DROPPED = Counter(
    "chat_events_dropped_total", "Events not given to the broker: it was away or too slow.", registry=None
)


def register(registry: CollectorRegistry) -> None:
    """Shows them in this registry."""
    for metric in (OPEN_ROOMS, READERS, DELIVERIES, SLOW_READERS, FILLED, COMMITS, EVENTS_DROPPED):
        registry.register(metric)
