"""The lines that one call has left in the logs of all pods, found by its trace id: the services' own and the proxies'.

Read from the files, so it works when the mesh is down. Lines are JSON in the shape of services/common/logs.py; the
proxies' has what only a proxy knows (deploy/istio-operator.yaml, accessLogFormat).
"""

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from localmesh.errors import MeshError

_ID = re.compile(r"[0-9a-f]{1,32}")
SHORTEST_PREFIX = 4
# What is no news: the answer came from where the call went.
_USUAL = frozenset({None, "", "-", "via_upstream"})


@dataclass(frozen=True, slots=True)
class CallLine:
    """One line. `begin` is when what it tells of began (Unix time): lines are written at the end. Empty: not said."""

    namespace: str
    pod: str
    program: str
    text: str  # the line as it was written
    begin: float
    trace: str
    event: str
    method: str
    code: str  # of gRPC by name, else the HTTP status
    latency_ms: float | None
    peer: str
    upstream: str  # of a proxy's line: whom it asked, `outbound|50051|v1|user…`
    details: str  # of a proxy's line: why it ended so, where that is not the upstream's answer
    flags: str  # of a proxy's line: Envoy's response flags


def of_trace(folder: Path, trace: str) -> list[CallLine]:
    """The lines of one trace, in the order in which what they tell of began. A prefix of its id is enough.

    Raises MeshError if that is no id, or the beginning of several; without lines there are none.
    """
    wanted = trace.lower()
    if _ID.fullmatch(wanted) is None or len(wanted) < SHORTEST_PREFIX:
        raise MeshError(
            f"{trace!r} is no trace id", f"32 hexadecimal digits, or the first {SHORTEST_PREFIX} or more of them"
        )
    found = [line for file in _files(folder) for line in _of_file(file, wanted)]
    ids = sorted({line.trace for line in found})
    if len(ids) > 1:
        raise MeshError(f"{len(ids)} traces begin with {wanted}", f"one of {', '.join(ids[:5])}")
    return sorted(found, key=lambda line: line.begin)


def _files(folder: Path) -> Iterable[Path]:
    """`<namespace>.<pod>.<program>.log`, and what was trimmed of it."""
    return sorted((*folder.glob("*.*.*.log"), *folder.glob("*.*.*.log.1")))


def _of_file(file: Path, prefix: str) -> Iterator[CallLine]:
    namespace, pod, program, *_ = file.name.split(".")
    for text in _lines(file, re.compile(rb'"trace_id": ?"' + prefix.encode())):
        try:
            said = json.loads(text)
        except ValueError:
            continue  # cut by a trimming
        if isinstance(said, dict):
            yield _line(namespace, pod, program, text, said)


def _lines(file: Path, pattern: re.Pattern[bytes]) -> Iterator[str]:
    """The lines of a file in which the pattern is found.

    Read and not mapped: a log is cut to nothing by a trimming, and who touches a page that is no more is killed. It is
    searched as a whole, since few lines of many are wanted.
    """
    try:
        whole = file.read_bytes()
    except FileNotFoundError:
        return
    for found in pattern.finditer(whole):
        begin = whole.rfind(b"\n", 0, found.start()) + 1
        end = whole.find(b"\n", found.end())
        yield whole[begin : end if end >= 0 else len(whole)].decode(errors="replace")


def _line(namespace: str, pod: str, program: str, text: str, said: Mapping[str, Any]) -> CallLine:
    latency = said.get("latency_ms")
    took = float(latency) if isinstance(latency, int | float) else None
    code, status = said.get("code"), said.get("response_code")
    details = said.get("response_code_details")
    return CallLine(
        namespace=namespace,
        pod=pod,
        program=program,
        text=text,
        begin=_time(said.get("time")) - (took or 0.0) / 1000,
        trace=str(said.get("trace_id")),
        event=str(said.get("event", "")),
        method=str(said.get("method") or ""),
        code=str(code or status or ""),
        latency_ms=took,
        peer=str(said.get("peer") or ""),
        upstream=str(said.get("upstream_cluster") or ""),
        details="" if details in _USUAL else str(details),
        flags="" if said.get("response_flags") in _USUAL else str(said.get("response_flags")),
    )


def _time(written: object) -> float:
    try:
        return datetime.fromisoformat(str(written)).timestamp()
    except ValueError:
        return 0.0
