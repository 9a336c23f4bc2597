"""What the chat service counts beside the calls themselves."""

from prometheus_client import Counter, Gauge, Histogram

OPEN_ROOMS = Gauge("chat_open_rooms", "Rooms with at least one reader at this replica.")
READERS = Gauge("chat_readers", "Open streams that read a room.")
DELIVERIES = Counter("chat_deliveries_total", "Messages handed to readers.")
SLOW_READERS = Counter("chat_slow_readers_total", "Readers cut because too much waited for them.")
FILLED = Counter("chat_filled_total", "Messages of live rooms that came from the record because the broker lost them.")
COMMITS = Histogram(
    "chat_commit_messages", "Messages that went into one commit.", buckets=(1, 2, 4, 8, 16, 32, 64, 128, 256, 512)
)
EVENTS_DROPPED = Counter("chat_events_dropped_total", "Events not given to the broker: it was away or too slow.")
