"""A memo: the same results with less work."""

from localmesh.memo import Itself, Memo


def counted(results: list[int], value: int) -> int:
    """`value`, noted."""
    results.append(value)
    return value


def test_equal_inputs_give_what_was_made_before_and_others_are_made_anew() -> None:
    memo, calls = Memo(), list[int]()
    assert memo.made("a", lambda _: counted(calls, 1), [1]) == 1
    assert memo.made("a", lambda _: counted(calls, 2), [1]) == 1
    assert memo.made("a", lambda _: counted(calls, 3), [2]) == 3
    assert memo.made("b", lambda _: counted(calls, 4), [2]) == 4
    assert calls == [1, 3, 4]


def test_what_a_round_asks_for_is_kept_for_the_next_and_all_else_is_forgotten() -> None:
    memo, calls = Memo(), list[int]()
    memo.made("asked", lambda _: counted(calls, 1), 0)
    memo.made("not asked", lambda _: counted(calls, 2), 0)
    for _ in range(2):
        memo.next_round()
        assert memo.made("asked", lambda _: counted(calls, 3), 0) == 1
    assert memo.made("not asked", lambda _: counted(calls, 4), 0) == 4
    assert calls == [1, 2, 4]


def test_what_could_not_be_made_is_tried_again() -> None:
    memo, calls = Memo(), list[int]()
    try:
        memo.made("a", lambda zero: 1 // zero, 0)
    except ZeroDivisionError:
        calls.append(0)
    assert memo.made("a", lambda _: counted(calls, 5), 0) == 5
    assert calls == [0, 5]


def test_of_many_under_one_name_those_are_made_anew_whose_inputs_differ_from_what_they_were_before() -> None:
    memo, calls = Memo(), list[tuple[int | None, int]]()

    def noted(before: int | None, value: int) -> int:
        calls.append((before, value))
        return value * 10

    assert memo.many("all", noted, {"a": (1,), "b": (2,)}) == {"a": 10, "b": 20}
    memo.next_round()
    assert memo.many("all", noted, {"b": (2,), "a": (3,), "c": (4,)}) == {"b": 20, "a": 30, "c": 40}
    assert calls == [(None, 1), (None, 2), (10, 3), (None, 4)]
    for _ in range(2):
        memo.next_round()
    assert memo.many("all", noted, {"b": (2,)}) == {"b": 20}
    assert calls[4:] == [(None, 2)]


def test_of_equal_values_the_first_one_stays() -> None:
    memo, first = Memo(), [1]
    assert memo.same("a", first) is memo.same("a", [1]) is first
    assert memo.same("a", [2]) == [2]


def test_what_is_itself_only_is_made_anew_for_another_that_is_equal() -> None:
    memo, one = Memo(), [1]
    assert memo.made("a", lambda it: it.value, Itself(one)) is one
    assert memo.made("a", lambda it: [], Itself(one)) is one
    assert memo.made("a", lambda it: it.value, Itself([1])) is not one
