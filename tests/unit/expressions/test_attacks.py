import time
import tracemalloc

import pytest
from unit.expressions.attacks import BOMBS, ESCAPES
from unit.expressions.world import checked, value

from procession.errors import ExpressionError


def test_there_are_enough_attacks_to_mean_something():
    assert len(set(ESCAPES)) >= 70
    assert len(set(BOMBS)) >= 25


@pytest.mark.parametrize("source", ESCAPES)
def test_an_escape_is_found_by_the_check(source):
    assert checked(source).findings


@pytest.mark.parametrize("source", ESCAPES)
def test_an_escape_is_refused_when_it_runs_unchecked(source):
    with pytest.raises(ExpressionError) as caught:
        value(source)

    assert "Traceback" not in caught.value.message


@pytest.mark.parametrize("source", BOMBS)
def test_a_bomb_fizzles_out_at_once(source):
    tracemalloc.start()
    started = time.thread_time()

    try:
        checked(source)
        with pytest.raises(ExpressionError):
            value(source)
        took, (_, peak) = time.thread_time() - started, tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert took < 0.5
    assert peak < 1_000_000


def test_a_record_gives_its_fields_and_nothing_else():
    for name in ("__class__", "__reduce__", "_ref", "_fields"):
        with pytest.raises(ExpressionError):
            value(f"meeting.{name}")


def test_a_name_below_a_group_is_never_a_method_of_it():
    with pytest.raises(ExpressionError, match="there is no 'keys' in"):
        value("vars.keys")


def test_a_value_that_hides_a_function_does_not_get_called():
    assert value("now() is past", now=value("moment('2026-01-01 10:00')")) is False
    with pytest.raises(ExpressionError, match="there is no function 'greet'"):
        value("greet()", greet=lambda: "hello")
