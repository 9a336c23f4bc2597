"""A trace as lines: each span once, below its parent."""

from localmesh.observe.tree import rows
from tests.localmesh.observe.otlp_spans import span, trace

T = "a" * 32
A, B, C, D, E = ("1" * 16, "2" * 16, "3" * 16, "4" * 16, "5" * 16)


def test_children_stand_below_their_parents_in_the_order_of_their_beginnings() -> None:
    made = trace(
        span(T, id=C, parent=A, begin_ms=2, name="second"),
        span(T, id=A, begin_ms=0, name="root"),
        span(T, id=D, parent=B, begin_ms=3, name="below the first"),
        span(T, id=B, parent=A, begin_ms=1, name="first"),
    )
    assert [f"{row.before}{row.span.what}" for row in rows(made)] == [
        "root",
        "├─ first",
        "│  └─ below the first",
        "└─ second",
    ]
    assert [row.below for row in rows(made)] == ["│  ", "│  │  ", "│        ", "      "]


def test_a_span_whose_parent_has_not_come_stands_at_the_left_edge() -> None:
    made = trace(span(T, id=A, name="root"), span(T, id=B, parent=E, begin_ms=1, name="of a stream that goes on"))
    assert [f"{row.before}{row.span.what}" for row in rows(made)] == ["root", "of a stream that goes on"]


def test_spans_that_are_each_others_parents_are_drawn_once() -> None:
    made = trace(span(T, id=A, parent=B), span(T, id=B, parent=A), span(T, id=C, parent=C))
    assert sorted(row.span.id for row in rows(made)) == [A, B, C]


def test_a_trace_of_any_depth_is_drawn() -> None:
    ids = [f"{at:016x}" for at in range(1, 3001)]
    made = trace(*(span(T, id=each, parent=above) for above, each in zip(["", *ids], ids, strict=False)))
    assert sum(1 for _ in rows(made)) == 3000
