"""JSON lines on stdout, one object a line, made and written by a thread of its own: the event loop only queues.

Keys: time, level, event; for calls method, code, latency_ms, peer, user, request_bytes; trace_id and span_id of the
call it was written in; pod and version always; error with a traceback where an exception was logged.
"""

import json
import logging
import queue
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from logging.handlers import QueueHandler, QueueListener
from typing import TextIO

from opentelemetry.trace import SpanContext, get_current_span


@dataclass(frozen=True, slots=True)
class Call:
    """What the log says of one call."""

    method: str
    code: str
    latency_ms: float
    peer: str
    user: str
    request_bytes: int | None


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
            line |= {"peer": call.peer, "user": call.user, "request_bytes": call.request_bytes}
        else:
            line["logger"] = record.name
        span = getattr(record, "span", None)
        if isinstance(span, SpanContext) and span.is_valid:
            line |= {"trace_id": f"{span.trace_id:032x}", "span_id": f"{span.span_id:016x}"}
        line |= self._always
        if record.exc_info:
            line["error"] = self.formatException(record.exc_info)
        return json.dumps(line, ensure_ascii=False)


class _Queued(QueueHandler):
    def prepare(self, record: logging.LogRecord) -> logging.LogRecord:
        """With the span it was made in; not formatted: the listener is a thread of this process."""
        if not hasattr(record, "span"):
            record.span = get_current_span().get_span_context()
        return record


@contextmanager
def to_stdout(*, level: str, pod: str, version: str, stream: TextIO | None = None) -> Iterator[None]:
    """All logging as JSON lines of at least this level while the context lasts; its end writes what is queued."""
    lines = logging.StreamHandler(stream or sys.stdout)
    lines.setFormatter(JsonFormatter(pod, version))
    waiting: queue.SimpleQueue[logging.LogRecord] = queue.SimpleQueue()
    listener = QueueListener(waiting, lines)
    handler = _Queued(waiting)
    root = logging.getLogger()
    before = (root.level, list(root.handlers))
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    listener.start()
    try:
        yield
    finally:
        root.handlers[:] = before[1]
        root.setLevel(before[0])
        listener.stop()
