"""Traces in bounded memory: what is kept, what goes first, who is told."""

import asyncio
import gc
import secrets
import tracemalloc
from pathlib import Path

import grpc
import pytest

from localmesh.errors import MeshError
from localmesh.observe.collector import SERVICE, receiving
from localmesh.observe.store import Limits, TraceStore
from localmesh.observe.traces import Wanted
from tests.localmesh.observe.otlp_spans import export, span, taken

A, B, C = "a" * 32, "b" * 32, "c" * 32
EVERYTHING = Wanted()


def listed(store: TraceStore, wanted: Wanted = EVERYTHING, limit: int = 100) -> list[str]:
    return [each.id for each in store.traces(wanted, limit)]


async def test_of_5000_spans_sent_as_fast_as_they_are_taken_none_is_lost(tmp_path: Path) -> None:
    store = TraceStore()
    sent = [span(f"{at // 5:032x}", id=f"{at + 1:016x}") for at in range(5, 5005)]
    socket = tmp_path / "otlp.sock"
    async with receiving(socket, store.take), grpc.aio.insecure_channel(f"unix:{socket}") as channel:
        call = channel.unary_unary(f"/{SERVICE}/Export", request_serializer=bytes, response_deserializer=bytes)
        batches = [export(sent[at : at + 100]) for at in range(0, 5000, 100)]
        assert await asyncio.gather(*(call(each) for each in batches)) == [b""] * 50
    kept = {each.id for trace in store.traces(EVERYTHING, 5000) for each in trace.spans}
    assert kept == {each.span_id.hex() for each in sent}
    assert store.spans == 5000


@pytest.mark.parametrize(("attributes", "together"), [(0, 50), (0, 1), (30, 50)])
def test_its_memory_is_never_more_than_it_says_and_may_be(attributes: int, together: int) -> None:
    """Measured by Python itself, with spans of no attribute and of as many as Envoy's have, by fifties and alone.

    Each is a trace of its own, which takes most.
    """
    said = {f"attribute_{at}": "x" * 20 for at in range(attributes)}
    limits = Limits(bytes=2_000_000)
    store = TraceStore(limits)
    store.take(taken(span(said=said)))  # what is made once for all
    gc.collect()
    tracemalloc.start()
    try:
        most = 0
        for _ in range(4000 // together):
            store.take(taken(*(span(said=said) for _ in range(together))))
            most = max(most, tracemalloc.get_traced_memory()[0])
    finally:
        tracemalloc.stop()
    assert store.spans < 4000, "the test did not fill it"
    assert most <= limits.bytes * 1.1  # and what the batch on its way takes


def test_when_there_are_too_many_spans_the_oldest_trace_goes_whole() -> None:
    store = TraceStore(Limits(spans=4))
    store.take(taken(span(A), span(A)))
    store.take(taken(span(B), span(B)))
    store.take(taken(span(A)))  # a late one does not make it younger
    assert listed(store) == [B]
    assert store.spans == 2
    store.take(taken(span(C)))
    assert listed(store) == [C, B]


def test_one_trace_that_is_larger_than_all_there_is_room_for_does_not_stay() -> None:
    store = TraceStore(Limits(spans=10))
    store.take(taken(*(span(A) for _ in range(11))))
    assert (listed(store), store.spans, store.bytes) == ([], 0, 0)


def test_a_late_span_joins_its_trace_and_one_that_is_sent_twice_counts_once() -> None:
    store = TraceStore()
    first, late = span(A, begin_ms=5), span(A, begin_ms=0)
    store.take(taken(first))
    store.take(taken(span(B)))
    store.take(taken(late, first))
    assert [each.id for each in store.trace(A).spans] == [late.span_id.hex(), first.span_id.hex()]
    assert store.spans == 3
    assert store.bytes == sum(each.size for key in (A, B) for each in store.trace(key).spans)


def test_a_trace_is_found_by_so_much_of_its_id_as_no_other_has() -> None:
    store = TraceStore()
    store.take(taken(span("ab" + "0" * 30), span("ac" + "0" * 30)))
    assert store.trace("AB").id == "ab" + "0" * 30
    with pytest.raises(MeshError, match="2 traces begin with 'a'"):
        store.trace("a")
    with pytest.raises(MeshError, match="there is no trace ad"):
        store.trace("ad")


def test_the_newest_come_first_and_only_what_is_wanted() -> None:
    store = TraceStore()
    store.take(taken(span(A, ms=80), service="chat.mesh"))
    store.take(taken(span(B, error=True), service="chatter"))
    store.take(taken(span(C, said={"grpc.status_code": "7"}), service="chat"))
    assert listed(store) == [C, B, A]
    assert listed(store, limit=2) == [C, B]
    assert listed(store, Wanted(service="chat")) == [C, A]
    assert listed(store, Wanted(service="chat.mesh")) == [A]
    assert listed(store, Wanted(failed=True)) == [C, B]
    assert listed(store, Wanted(slower_than=0.05)) == [A]


async def test_who_watches_is_told_of_a_trace_when_it_is_quiet_and_again_if_more_comes() -> None:
    store = TraceStore(Limits(quiet=0.05))
    watching = store.watch(Wanted(service="chat"))
    told = asyncio.create_task(anext(watching))
    await asyncio.sleep(0)
    store.take(taken(span(B), service="other"))
    store.take(taken(span(A)))
    store.take(taken(span(A)))
    assert len((await told).spans) == 2
    store.take(taken(span(A)))
    assert len((await anext(watching)).spans) == 3


async def test_an_export_without_a_span_is_nothing_new_and_ends_no_watching() -> None:
    store = TraceStore(Limits(quiet=0.01))
    watching = store.watch(EVERYTHING)
    told = asyncio.create_task(anext(watching))
    await asyncio.sleep(0)
    store.take(taken())
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert not told.done()
    store.take(taken(span(A)))
    assert (await told).id == A


async def test_who_reads_slowly_misses_the_oldest_and_holds_no_memory() -> None:
    store = TraceStore(Limits(quiet=0.01, unread=3))
    watching = store.watch(EVERYTHING)
    told = asyncio.create_task(anext(watching))
    await asyncio.sleep(0)
    ids = [secrets.token_hex(16) for _ in range(5)]
    for each in ids:
        store.take(taken(span(each)))
    found = [(await told).id, (await anext(watching)).id, (await anext(watching)).id]
    assert found == ids[2:]
