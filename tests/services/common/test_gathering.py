"""Spans of work that is done once for many."""

import asyncio
import contextvars

import pytest
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF
from opentelemetry.trace import Span

from services.common.errors import NotFound
from services.common.gathering import MOST_LINKS, Gathering
from tests.services.recorded import Recorded, id_of, links_of, parent_of


async def _shared(recorded: Recorded, callers: int) -> None:
    """So many calls wait for one work, which is done in a task that belongs to none of them."""
    gathering, waits, done = Gathering(recorded.telemetry.tracer_provider), list[Span](), asyncio.Event()

    async def call(number: int) -> None:
        with (
            recorded.tracer.start_as_current_span(f"call {number}"),
            gathering.waiting("wait") as wait,
        ):
            waits.append(wait)
            await done.wait()

    async def work() -> None:
        with gathering.working("work", waits, {"size": callers}), recorded.tracer.start_as_current_span("inside"):
            pass
        done.set()

    calls = [asyncio.create_task(call(number)) for number in range(callers)]
    await asyncio.sleep(0)
    await asyncio.create_task(work(), context=contextvars.Context())
    await asyncio.gather(*calls)


async def test_the_work_for_a_lone_caller_is_in_its_trace() -> None:
    """call > wait > work > inside, though the work was done elsewhere."""
    recorded = Recorded()
    await _shared(recorded, 1)
    names = ("call 0", "wait", "work", "inside")
    call, wait, work, inside = (recorded.named(name)[0] for name in names)
    assert [parent_of(one) for one in (wait, work, inside)] == [id_of(call), id_of(wait), id_of(work)]
    assert len({one.context.trace_id for one in (call, wait, work, inside) if one.context}) == 1
    assert dict(work.attributes or {}) == {"size": 1}
    assert not links_of(wait) and not links_of(work)


async def test_the_work_for_many_is_the_firsts_and_links_to_the_others_as_they_to_it() -> None:
    """Each caller sees its own wait, in its own trace."""
    recorded = Recorded()
    await _shared(recorded, 5)
    (work,), waits = recorded.named("work"), recorded.named("wait")
    first, others = (
        [wait for wait in waits if (parent_of(work) == id_of(wait)) is is_first] for is_first in (True, False)
    )
    assert (len(first), len(others)) == (1, 4)
    assert links_of(work) == {id_of(wait) for wait in others}
    assert all(links_of(wait) == {id_of(work)} for wait in others)
    assert len({wait.context.trace_id for wait in waits if wait.context}) == 5


async def test_links_are_bounded_and_those_of_the_waits_are_all_there() -> None:
    """A commit may hold hundreds."""
    recorded = Recorded()
    await _shared(recorded, MOST_LINKS + 10)
    (work,) = recorded.named("work")
    assert len(work.links) == MOST_LINKS and work.dropped_links == 0
    assert sum(links_of(wait) == {id_of(work)} for wait in recorded.named("wait")) == MOST_LINKS + 9


async def test_calls_that_are_not_traced_make_none() -> None:
    """Neither for the wait nor for the work."""
    recorded = Recorded()
    unsampled = TracerProvider(sampler=ALWAYS_OFF).get_tracer("test")
    gathering = Gathering(recorded.telemetry.tracer_provider)
    with (
        unsampled.start_as_current_span("call"),
        gathering.waiting("wait") as wait,
        gathering.working("work", [wait], {}),
    ):
        pass
    assert not recorded.spans


async def test_a_failure_is_told_by_its_kind_and_not_by_its_text() -> None:
    """An error's text may hold what a user sent."""
    recorded = Recorded()
    gathering = Gathering(recorded.telemetry.tracer_provider)
    error = NotFound("NO_THING", "no {thing}", thing="marker-of-a-user")
    with (
        pytest.raises(NotFound),
        recorded.tracer.start_as_current_span("call", record_exception=False, set_status_on_exception=False),
        gathering.waiting("wait") as wait,
        gathering.working("work", [wait], {}),
    ):
        raise error
    for name in ("wait", "work"):
        (span,) = recorded.named(name)
        assert span.attributes is not None and span.attributes["error.type"] == "NO_THING"
        assert not span.status.is_ok and not span.events
    assert "marker-of-a-user" not in "".join(span.to_json() for span in recorded.spans)
