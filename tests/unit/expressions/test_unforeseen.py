"""Values that no check foresaw (of functions, of hand-made inputs) meet operations they do not fit."""

import inspect
import sys
from datetime import UTC, datetime
from decimal import Decimal

import pytest
from jinja2.sandbox import SecurityError
from unit.expressions.world import MEETING, NOW, checked, value

from procession.errors import ExpressionError
from procession.expressions import write
from procession.expressions.budget import Mistake
from procession.expressions.running import Sandbox

NAIVE = datetime(2026, 3, 6, 9)
GIVEN = {
    "nothing": None, "text": "x", "five": 5, "many": ("a", 1), "naive": NAIVE, "huge": 10**30, "yes": True,
    "nan": float("nan"), "loud": Decimal("sNaN"), "groups": ({"a": 1}, {"a": 2}), "long_list": tuple(range(10_001)),
}  # fmt: skip

CASES = (
    ("many | upper", "a list is no text"),
    ("yes | number", "a yes-or-no value is no number"),
    ("'1e999' | number", "the text is no number, such as 12.5"),
    ("five | length", "a number has no length"),
    ("text | first", "a list is needed, not a text"),
    ("long_list | first", "the list is longer than 10,000"),
    ("2.5 | round(five * 4)", "'digits' goes from 0 to 9"),
    ("text | truncate(five - 5)", "'length' is a number of characters"),
    ("groups | unique", "the values of the list cannot be compared"),
    ("many | max", "the values of the list have no order among each other"),
    ("many | sum", "a text cannot be added up"),
    ("groups | map(attribute='b')", "there is no 'b' in a group of values"),
    ("many | map(attribute='b')", "there is no 'b' in a text"),
    ("-text", "'-' does not fit a text"),
    ("five in five", "'in' does not fit a number and a number"),
    ("five in text", "'in' does not fit a number and a text"),
    ("text + five", "'+' does not fit a text and a number"),
    ("five[0]", "a number has no parts"),
    ("many['x' ~ 'y']", "a place in a list is a whole number"),
    ("naive + duration('1 day')", "a moment without a time zone cannot be reckoned with"),
    ("naive - now()", "a moment without a time zone cannot be reckoned with"),
    ("naive | time", "a moment without a time zone cannot be shown"),
    ("naive ~ ''", "a moment without a time zone cannot be written"),
    ("text | date", "a date is needed"),
    ("nothing | date", "it is empty where a date is needed"),
    ("text | time", "a moment is needed"),
    ("five | hours", "a duration of fixed length is needed"),
    ("now() | time(text)", "'x' is no width. Write 'short', 'medium', 'long' or 'full'."),
    ("now() | time(language=text ~ 'xx')", "'xxx' is not a language. Write it as de or de-AT."),
    ("now() | time(zone=text)", "there is no time zone 'x'. Write it as Europe/Berlin."),
    ("duration('1 business day') / 2", "business days cannot be divided"),
    ("duration('1 business day') / duration('1 day')", "business days cannot be divided"),
    ("nan + 1", "the number gets too large"),
    ("huge * huge", "the number gets too large"),
    ("huge ~ ''", "the number is too large to be written"),
    ("loud == 1", "it does not fit these values"),
    ("moment(text)", "'x' is not a moment. Write it as 2026-03-06T10:00+01:00."),
    ("five and nothing.a", "'a' is read from something empty"),
)


@pytest.mark.parametrize(("source", "reason"), CASES, ids=[row[0] for row in CASES])
def test_a_value_that_does_not_fit_is_an_error_in_words(source, reason):
    with pytest.raises(ExpressionError) as caught:
        value(source, **GIVEN)

    _, _, said = caught.value.message.partition("' failed: ")
    assert said.partition(" (it saw")[0] == reason


def test_without_a_clock_there_is_no_now():
    with pytest.raises(ExpressionError, match="the time is not known here"):
        value("now()", now=None)


def test_without_a_process_the_zone_is_utc():
    assert value("meeting.start | time(language='de')", process=None) == "09:00"


def test_a_zone_of_the_process_that_does_not_exist_is_named():
    with pytest.raises(
        ExpressionError, match=r"there is no time zone 'Europe/Berln'. Did you mean 'Europe/Berlin'\?"
    ):
        value("today()", process={"timezone": "Europe/Berln"})


def test_a_country_of_the_process_that_does_not_exist_is_named():
    with pytest.raises(ExpressionError, match="no public holidays are known for 'XX'"):
        value("now() + duration('1 business day')", process={"country": "XX"})


def test_numbers_of_several_kinds_are_added_up():
    assert value("amounts | sum", amounts=(Decimal("0.1"), 0.2, 1)) == 1.3
    assert value("1.5 - amount", amount=Decimal("0.5")) == Decimal("1.0")


def test_a_value_in_a_group_is_read_as_a_field():
    assert value("found.value.total + 1", found={"value": {"total": 4}}) == 5


def test_lists_of_groups_are_sorted_and_searched_like_records():
    found = value("groups | where(a=2) | map(attribute='a')", **GIVEN)

    assert found == (2,)


def test_a_list_that_an_expression_only_hands_on_may_be_long():
    assert len(value("long_list", **GIVEN)) == 10_001


def test_a_value_can_be_written_as_mixed_text_writes_it():
    names = {"process": {"timezone": "Europe/Berlin"}}

    assert write(NOW, names) == "2026-03-02 09:00"
    assert write(MEETING, names) == "Kick-off"
    with pytest.raises(Mistake, match="a group of values cannot be written as text"):
        write({}, names)


def test_the_sandbox_itself_reads_no_brackets_and_calls_nothing():
    sandbox = Sandbox()

    with pytest.raises(SecurityError):
        sandbox.getitem({"a": 1}, "a")
    with pytest.raises(SecurityError):
        sandbox.call(None, print, "x")


def test_a_deep_expression_in_a_deep_stack_is_a_finding_not_a_crash():
    def below(depth: int):
        return below(depth - 1) if depth else checked("not " * 290 + "true").findings

    room = sys.getrecursionlimit() - len(inspect.stack(0))
    for depth in (room - 500, room - 150):
        assert [finding.message for finding in below(depth)] == ["the expression is nested too deeply"]


def test_moments_compare_whatever_their_zone():
    assert value("a == b", a=datetime(2026, 3, 6, 9, tzinfo=UTC), b=value("moment('2026-03-06 10:00')"))
