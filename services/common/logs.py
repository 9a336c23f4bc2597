"""JSON lines on stdout, one object a line, made and written by a thread of its own: the event loop only queues.

Keys: time, level, event; for calls method, code, latency_ms, peer, user, request_bytes, response_bytes; trace_id and
span_id of the call it was written in; pod and version always; error with a traceback where an exception was logged.
"""

import json
import logging
import queue
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TextIO

from opentelemetry.trace import SpanContext, get_current_span

# The writer gathers lines for this long and writes them at once: waking it for each line costs the loop more than
# the line itself.
_GATHER_SECONDS = 0.01
# If stdout is read too slowly, lines are dropped and counted rather than kept until memory ends.
_MOST_WAITING = 50_000


@dataclass(frozen=True, slots=True)
class Call:
    """What the log says of one call."""

    method: str
    code: str
    latency_ms: float
    peer: str
    user: str
    request_bytes: int  # of the messages alone, without compression; all of them if the call streams
    response_bytes: int | None  # None where it is not known


class JsonFormatter(logging.Formatter):
    """A record -> one line of JSON."""

    def __init__(self, pod: str, version: str) -> None:
        super().__init__()
        self._always = {"pod": pod, "version": version}

    def format(self, record: logging.LogRecord) -> str:
        """The line, without its end."""
        line: dict[str, object] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "event": record.getMessage(),
        }
        call = getattr(record, "call", None)
        if isinstance(call, Call):
            line |= {"method": call.method, "code": call.code, "latency_ms": call.latency_ms}
            line |= {"peer": call.peer, "user": call.user}
            line |= {"request_bytes": call.request_bytes, "response_bytes": call.response_bytes}
        else:
            line["logger"] = record.name
        span = getattr(record, "span", None)
        if isinstance(span, SpanContext) and span.is_valid:
            line |= {"trace_id": f"{span.trace_id:032x}", "span_id": f"{span.span_id:016x}"}
        line |= self._always
        if record.exc_info:
            line["error"] = self.formatException(record.exc_info)
        return json.dumps(line, ensure_ascii=False)


class _Queue(logging.Handler):
    """Queues records with the span they were made in; a thread formats and writes them."""

    def __init__(self, stream: TextIO) -> None:
        super().__init__()
        self._stream = stream
        self._waiting: queue.SimpleQueue[logging.LogRecord | None] = queue.SimpleQueue()
        self._dropped = 0
        self._thread = threading.Thread(target=self._write_all, name="log", daemon=True)
        self._thread.start()

    def emit(self, record: logging.LogRecord) -> None:
        """Queues it, or counts it as dropped."""
        if not hasattr(record, "span"):
            record.span = get_current_span().get_span_context()
        if self._waiting.qsize() < _MOST_WAITING:
            self._waiting.put(record)
        else:
            self._dropped += 1

    def close(self) -> None:
        """Writes what is queued; returns when it is written, or after two seconds."""
        self._waiting.put(None)
        self._thread.join(timeout=2)
        super().close()

    def _write_all(self) -> None:
        ending = False
        while not ending:
            records = [self._waiting.get()]
            if records[0] is not None:
                time.sleep(_GATHER_SECONDS)
            with suppress(queue.Empty):
                while True:
                    records.append(self._waiting.get_nowait())
            ending = None in records
            self._write([record for record in records if record is not None])

    def _write(self, records: list[logging.LogRecord]) -> None:
        lines = []
        for record in records:
            try:
                lines.append(self.format(record))
            except Exception as error:  # a line that cannot be made must not cost the others
                lines.append(json.dumps({"level": "error", "event": f"a log line failed: {error!r}"}))
        if self._dropped:
            lines.append(json.dumps({"level": "error", "event": f"{self._dropped} log lines dropped"}))
            self._dropped = 0
        with suppress(OSError, ValueError):  # nobody reads any more: there is no place left to say so
            self._stream.write("".join(f"{line}\n" for line in lines))
            self._stream.flush()


@contextmanager
def to_stdout(*, level: str, pod: str, version: str, stream: TextIO | None = None) -> Iterator[None]:
    """All logging as JSON lines of at least this level while the context lasts; its end writes what is queued."""
    handler = _Queue(stream or sys.stdout)
    handler.setFormatter(JsonFormatter(pod, version))
    root = logging.getLogger()
    before = (root.level, list(root.handlers))
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    try:
        yield
    finally:
        root.handlers[:] = before[1]
        root.setLevel(before[0])
        handler.close()
