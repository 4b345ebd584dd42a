"""What expressions give, and how they fail."""

from contextlib import suppress
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest
from unit.expressions.world import ACME, ANN, AT, CAL, CALL, MEETING, NAMES, value

from procession.errors import ExpressionError
from procession.expressions import Deferred, Expression, Text, evaluate, fill
from procession.expressions.operations import FILTERS, FUNCTIONS, TESTS
from procession.expressions.seen import seen
from procession.records import Record, Ref
from procession.values import BusinessDays

VALUES = (
    ("meeting", MEETING),
    ("meeting.contact.account.name", "Acme"),
    ("meeting.contact.account", ACME),
    ("meeting.start - remind_before", datetime(2026, 3, 5, 9, tzinfo=UTC)),
    ("meeting.end - meeting.start", timedelta(minutes=90)),
    ("now() + 2 * inputs.remind_before", datetime(2026, 3, 4, 8, tzinfo=UTC)),
    ("duration('2 days') + now()", datetime(2026, 3, 4, 8, tzinfo=UTC)),
    ("duration('2 days') * 1.5", timedelta(days=3)),
    ("duration('2 days') - duration('1 day')", timedelta(days=1)),
    ("duration('2 days') / 2", timedelta(days=1)),
    ("duration('2 days') / duration('1 day')", 2.0),
    ("-duration('2 days')", timedelta(days=-2)),
    ("2 * duration('2 business days')", BusinessDays(4)),
    ("duration('2 business days') + duration('1 business day')", BusinessDays(3)),
    ("-duration('2 business days')", BusinessDays(-2)),
    ("day + duration('3 days')", date(2026, 3, 9)),
    ("day + duration('1 business day')", date(2026, 3, 9)),
    ("day - duration('5 business days')", date(2026, 2, 27)),
    ("day - today()", timedelta(days=4)),
    ("today()", date(2026, 3, 2)),
    ("moment('2026-03-06 10:00')", datetime(2026, 3, 6, 9, tzinfo=UTC)),
    ("moment('2026-03-06 10:00') == meeting.start", True),
    ("day('2026-03-06') == day", True),
    ("record == meeting", True),
    ("record != meeting", False),
    ("meeting.contact in meeting.participants", True),
    ("'start' in trigger.changed", True),
    ("'due' not in trigger.changed", True),
    ("'Kick' in meeting.subject", True),
    ("1 < 2 <= 2 < 3", True),
    ("1 < 2 > 5", False),
    ("1 == 1.0 != 2", True),
    ("meeting.start > now() and not meeting.opportunity", True),
    ("meeting.opportunity or 'none'", "none"),
    ("'b' if meeting.is_meeting else 'c'", "b"),
    ("meeting.opportunity.account.name | default('no account')", "no account"),
    ("meeting.contact.first_name | default('there')", "there"),
    ("0 | default(5)", 0),
    ("false | default(true)", False),
    ("'' | default('x')", "x"),
    ("meeting.opportunity.account is empty", True),
    ("meeting.opportunity.account is not empty", False),
    ("[] is empty", True),
    ("0 is empty", False),
    ("meeting.start is future", True),
    ("meeting.start is past", False),
    ("day is future", True),
    ("day is past", False),
    ("today() is past", False),
    ("1 + 2 * 3", 7),
    ("7 // 2", 3),
    ("7 % 4", 3),
    ("7 / 2", 3.5),
    ("-(2 - 5)", 3),
    ("+5", 5),
    ("amount * 1.5", Decimal("18.75")),
    ("1.5 + amount", Decimal("14.0")),
    ("'a' + 'b' ~ 1", "ab1"),
    ("[1] + [2]", (1, 2)),
    ("trigger.changed + ['x']", ("start", "contact", "x")),
    ("meeting.subject[:4]", "Kick"),
    ("meeting.subject[-1]", "f"),
    ("trigger.changed[1]", "contact"),
    ("trigger.changed[1:]", ("contact",)),
    ("('a', 'b')", ("a", "b")),
    ("[[1], [2]]", ((1,), (2,))),
    # filters
    ("' Ab ' | trim | lower", "ab"),
    ("meeting.contact | upper", "ANN BAUER"),
    ("'ann bauer' | title", "Ann Bauer"),
    ("'1234567890' | truncate(5)", "1234…"),
    ("'12345' | truncate(5)", "12345"),
    ("'1234 67890' | truncate(6)", "1234…"),
    ("meeting.subject | length", 8),
    ("meeting.participants | length", 2),
    ("meeting.participants | first", ANN),
    ("meeting.participants | last", CAL),
    ("[] | first", None),
    ("meeting.participants | map(attribute='name') | join(' and ')", "Ann Bauer and Cal"),
    ("meeting.participants | join", "Ann Bauer, Cal"),
    ("meeting.participants | map(attribute='email')", ("ann@acme.example", None)),
    ("outputs.find.records | where(status='done')", (CALL,)),
    ("outputs.find.records | where(status='done', contact=meeting.contact)", ()),
    ("outputs.find.records | sort(attribute='start') | first", CALL),
    ("outputs.find.records | sort(attribute='start', reverse=true) | first", MEETING),
    ("[3, 1, none, 2] | sort", (1, 2, 3, None)),
    ("[3, 1, none, 2] | sort(reverse=true)", (3, 2, 1, None)),
    ("[2, 1, 2] | unique", (2, 1)),
    ("[meeting, record, meeting] | unique", (MEETING,)),
    ("[1, none, 2] | sum", 3),
    ("[0.1, 0.2] | sum", 0.3),
    ("[] | sum", 0),
    ("[2, 3, none] | max", 3),
    ("[2, 3, none] | min", 2),
    ("[] | max", None),
    ("'12.5' | number", 12.5),
    ("' 12 ' | number", 12),
    ("12.9 | int", 12),
    ("'12' | int", 12),
    ("2.5 | round", 3),
    ("-2.5 | round", -3),
    ("2.345 | round(2)", 2.35),
    ("amount | round(1)", Decimal("12.5")),
    ("12.50 | text", "12.5"),
    ("(meeting.end - meeting.start) | hours", 1.5),
    ("(meeting.end - meeting.start) | minutes", 90),
    ("remind_before | days", 1),
    ("duration('3 business days') | days", 3),
    # dates for people
    ("meeting.start | date", "March 6, 2026"),
    ("meeting.start | date('full', language='de')", "Freitag, 6. März 2026"),
    ("meeting.start | date('medium', language='de-AT')", "06.03.2026"),
    ("day | date('short')", "3/6/26"),
    ("meeting.start | time", "10:00 AM"),
    ("meeting.start | time(language='de')", "10:00"),
    ("meeting.start | time(zone='Asia/Tokyo', language='de')", "18:00"),
    ("meeting.start | in_zone('Asia/Tokyo') | time(language='de')", "18:00"),
    ("meeting.start | datetime(language='de')", "6. März 2026, 10:00"),
    ("meeting.start | weekday", "Friday"),
    ("meeting.start | weekday(language='fr')", "vendredi"),
    ("moment('2026-03-06 23:30') | day", date(2026, 3, 6)),
    ("moment('2026-03-06 23:30') | day(zone='Asia/Tokyo')", date(2026, 3, 7)),
)


@pytest.mark.parametrize(("source", "expected"), VALUES)
def test_an_expression_gives_its_value(source, expected):
    found = value(source, amount=Decimal("12.5"))

    assert found == expected
    assert type(found) is type(expected)


def test_business_days_skip_the_weekend_and_keep_the_time_of_day_over_the_change_of_clocks():
    thursday = datetime(2026, 3, 26, 9, tzinfo=UTC)  # 10:00 in Berlin, in winter

    found = value("now() + duration('2 business days')", now=thursday)

    assert found == datetime(2026, 3, 30, 8, tzinfo=UTC)  # 10:00 in Berlin, in summer


def test_business_days_know_the_holidays_of_the_country_of_the_process():
    maundy_thursday = datetime(2026, 4, 2, 8, tzinfo=UTC)
    process = {"timezone": "Europe/Berlin", "country": "DE"}

    found = value("now() + duration('1 business day')", now=maundy_thursday, process=process)

    assert found.date() == date(2026, 4, 7)


def test_a_day_is_twenty_four_hours_also_for_a_moment_put_into_a_zone():
    found = value("(moment('2026-03-28 12:00') | in_zone('Europe/Berlin')) + duration('1 day')")

    assert found == datetime(2026, 3, 29, 11, tzinfo=UTC)


def test_moments_are_subtracted_in_exact_time():
    found = value("moment('2026-03-29 12:00') - moment('2026-03-28 12:00')")

    assert found == timedelta(hours=23)


def test_now_may_be_a_clock():
    assert value("now()", now=lambda: datetime(2026, 1, 1, tzinfo=UTC)) == datetime(2026, 1, 1, tzinfo=UTC)


def test_what_asks_the_time_is_registered_as_such():
    """An `until` may not contain it (`procession.rules.moments`)."""
    asking = {name for registry in (FILTERS, FUNCTIONS, TESTS) for name in registry if _asks(registry, name)}

    registered = {
        name for registry in (FILTERS, FUNCTIONS, TESTS) for name in registry if registry[name].asks_the_time
    }

    assert registered == asking == {"now", "today", "past", "future"}


def _asks(registry, name):
    sign, asked = {id(FILTERS): "|", id(FUNCTIONS): "", id(TESTS): "is"}[id(registry)], []
    example = f"{name}()" if not sign else f"meeting.start {sign} {name}"
    clock = {"now": lambda: asked.append(1) or NAMES["now"]}
    with suppress(ExpressionError):
        value(example, **clock)
    return bool(asked)


def test_an_input_may_be_called_like_anything_that_is_not_private():
    for name in ("result", "items", "class", "context", "environment", "undefined", "resolve"):
        assert value(name, **{name: 5}) == 5


FAILURES = (
    (
        "meeting.opportunity.account.name",
        "'meeting.opportunity.account.name' failed: 'account' is read from something empty (it saw meeting.opportunity = empty)",
    ),
    ("meeting.opportunity.name", "'meeting.opportunity.name' failed: 'name' is read from something empty (it saw meeting.opportunity = empty)"),
    ("unknown", "'unknown' failed: there is no 'unknown' here"),
    ("meeting.colour", "'meeting.colour' failed: <activity:5> has no 'colour' (it saw meeting = <activity:5>)"),
    ("meeting.start.year", "'meeting.start.year' failed: there is no 'year' in a moment (it saw meeting.start = 2026-03-06 09:00+00:00)"),
    ("meeting.due > now()", "'meeting.due > now()' failed: an empty value and a moment cannot be compared (it saw meeting.due = empty)"),
    ("meeting.due + remind_before", "'meeting.due + remind_before' failed: '+' does not fit an empty value and a duration (it saw meeting.due = empty, remind_before = 1 day)"),
    ("meeting.due | time", "'meeting.due | time' failed: it is empty where a moment is needed (it saw meeting.due = empty)"),
    ("meeting.contact.first_name | upper", "'meeting.contact.first_name | upper' failed: it is empty where a text is needed (it saw meeting.contact.first_name = empty)"),
    ("meeting.is_meeting < 5", "'meeting.is_meeting < 5' failed: a yes-or-no value and a number cannot be compared (it saw meeting.is_meeting = yes)"),
    ("1 / (1 - 1)", "'1 / (1 - 1)' failed: it divides by zero"),
    ("now() + duration('36500 days') * 300", "'now() + duration('36500 days') * 300' failed: '+' leads too far"),
    ("trigger.changed[5]", "'trigger.changed[5]' failed: there is no number 5 in a list of 2 (it saw trigger.changed = a list of 2)"),
    ("'x' | number", "''x' | number' failed: the text is no number, such as 12.5"),
    ("duration('soon')", "'duration('soon')' failed: 'soon' is not a duration. Write it as 30s, 5m, 24h, 3 days, 2 business days, 1 week or PT2H."),
    ("duration('1 business day') + duration('1 day')", "'duration('1 business day') + duration('1 day')' failed: business days and other durations do not add up"),
    ("duration('1 business day') < duration('1 day')", "'duration('1 business day') < duration('1 day')' failed: a duration and a duration cannot be compared"),
    ("duration('1 business day') * 1.5", "'duration('1 business day') * 1.5' failed: business days are whole days"),
    ("[meeting, 1] | sort", "'[meeting, 1] | sort' failed: the values of the list have no order among each other (it saw meeting = <activity:5>)"),
    ("vars ~ ''", "'vars ~ ''' failed: a group of values cannot be written as text (it saw vars = a group of values)"),
    ("[meeting.opportunity.name]", "'[meeting.opportunity.name]' failed: 'name' is read from something empty (it saw meeting.opportunity = empty)"),
    ("meeting.strt and", "'meeting.strt and' failed: the expression ends too early"),
)  # fmt: skip


@pytest.mark.parametrize(("source", "message"), FAILURES, ids=[row[0] for row in FAILURES])
def test_a_failure_says_why_and_what_it_saw(source, message):
    with pytest.raises(ExpressionError) as caught:
        value(source)

    assert caught.value.message == message
    assert caught.value.at == AT


def test_a_failure_over_something_empty_says_how_to_guard_it():
    with pytest.raises(ExpressionError) as caught:
        value("meeting.opportunity.name")

    assert caught.value.hint == "Guard it with an 'if', or give a '| default(…)'."


def test_a_failure_says_of_an_empty_text_that_it_is_empty():
    assert seen(
        "contact.email and contact.name", {"contact": Record(Ref("contact", 8), {"email": "", "name": ""})}
    ) == ("contact.email = empty, contact.name = empty")


def test_a_failure_shows_no_addresses_and_no_bodies():
    with pytest.raises(ExpressionError) as caught:
        value("meeting.body * 2 + (meeting.contact.email < 5) + (meeting.location < 5)")

    assert "ann@acme" not in caught.value.message
    assert "meeting.body = (not shown), meeting.contact.email = (not shown)" in caught.value.message
    assert "meeting.location = 'Room 4'" in caught.value.message


def test_a_failure_shows_only_the_beginning_of_a_long_value_and_of_a_long_expression():
    with pytest.raises(ExpressionError) as caught:
        value("long < 5" + " or long == 'xyz'" * 20, long="y" * 500)

    assert f"long = '{'y' * 58}…" in caught.value.message
    assert len(caught.value.message) < 300


def test_an_expression_that_was_repaired_to_be_checked_does_not_run():
    with pytest.raises(ExpressionError, match="'=' does not compare"):
        value("meeting.subject = 'x'")


def test_a_result_cannot_be_larger_than_its_budget():
    with pytest.raises(ExpressionError, match="it would build more than 100,000 characters"):
        value("long ~ long ~ long", long="x" * 40_000)


def test_a_long_text_that_is_only_handed_on_costs_nothing():
    assert value("long", long="x" * 1_000_000) == "x" * 1_000_000


@pytest.mark.parametrize(
    "operation", [*FILTERS.values(), *FUNCTIONS.values(), *TESTS.values()], ids=lambda o: o.name
)
def test_the_example_of_every_operation_works(operation):
    names = {
        "contact": ANN, "contacts": (ANN, CAL), "name": "ann", "names": ("a", "b"), "subject": "Kick-off", "a": 1, "b": 2,
        "amount": 12.5, "amounts": (1, 2), "calls": ({"due": 2, "status": "planned"}, {"due": 1, "status": "done"}),
        "owners": ("a", "a"), "close_date": date(2026, 5, 1),
    }  # fmt: skip

    assert value(operation.example, **names) is not None


def test_every_operation_is_documented_in_one_line():
    for operation in (*FILTERS.values(), *FUNCTIONS.values(), *TESTS.values()):
        assert operation.doc.endswith(".")
        assert "\n" not in operation.doc


# filling


def test_a_field_that_is_one_expression_keeps_its_type():
    assert fill(Expression("meeting.start", AT), NAMES) == datetime(2026, 3, 6, 9, tzinfo=UTC)


def test_mixed_text_is_always_text():
    assert fill(Text((Expression("1 + 1", AT),)), NAMES) == "2"


def test_mixed_text_reads_well():
    shown = (
        ("meeting.contact", "Ann Bauer"),
        ("meeting.opportunity", ""),
        ("meeting.start", "2026-03-06 10:00"),
        ("day", "2026-03-06"),
        ("remind_before", "1 day"),
        ("duration('1 business day')", "1 business day"),
        ("meeting.end - meeting.start", "1 hour 30 minutes"),
        ("meeting.is_meeting", "yes"),
        ("not meeting.is_meeting", "no"),
        ("0.1 + 0.2", "0.3"),
        ("2.0", "2"),
        ("12.50", "12.5"),
        ("0.0000001", "0.0000001"),
        ("trigger.changed", "start, contact"),
        ("meeting.participants", "Ann Bauer, Cal"),
    )

    for source, text in shown:
        assert fill(Text(("<", Expression(source, AT), ">")), NAMES) == f"<{text}>"


def test_a_company_called_none_stays_a_text():
    none = Record(Ref("account", 1), {"name": "None"})

    assert fill(Expression("account.name", AT), {"account": none}) == "None"


def test_mappings_and_lists_are_filled_through_and_through():
    found = fill({"a": (Expression("1 + 1", AT), "{{ as it is }}"), "b": {"c": None}}, NAMES)

    assert found == {"a": (2, "{{ as it is }}"), "b": {"c": None}}


def test_an_expression_for_later_is_handed_on():
    condition = Expression("meeting.opportunity.name == 'x'", AT)

    assert fill({"when": Deferred(condition)}, NAMES) == {"when": condition}


def test_mixed_text_that_cannot_be_written_says_where():
    with pytest.raises(ExpressionError) as caught:
        fill(Text(("a ", Expression("vars", AT))), NAMES)

    assert (
        caught.value.message
        == "'vars' failed: a group of values cannot be written as text (it saw vars = a group of values)"
    )
    assert caught.value.at == AT


def test_an_expression_is_compiled_once():
    first = evaluate(Expression("meeting.start", AT), NAMES)

    assert evaluate(Expression("meeting.start", AT), NAMES) is first


# --- moments that were put into a zone

LATE = datetime(2026, 3, 6, 23, 30, tzinfo=UTC)
"""Friday in New York and in UTC, Saturday in Berlin, which is the zone of the process."""


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("m | time", "12:30\u202fAM"),
        ("m | in_zone('UTC') | time", "11:30\u202fPM"),
        ("m | in_zone('UTC') | weekday", "Friday"),
        ("m | in_zone('UTC') | day | text", "2026-03-06"),
        ("m | in_zone('UTC') | text", "2026-03-06 23:30"),
        ("m | in_zone('America/New_York') | text", "2026-03-06 18:30"),
        ("m | in_zone('America/New_York') | datetime", "March 6, 2026, 6:30\u202fPM"),
        ("'at ' ~ (m | in_zone('America/New_York'))", "at 2026-03-06 18:30"),
        ("[m | in_zone('America/New_York')] | join", "2026-03-06 18:30"),
        ("m | in_zone('America/New_York') | time(zone='Asia/Tokyo')", "8:30\u202fAM"),
        ("(m | in_zone('America/New_York')) == m", True),
        ("(m | in_zone('America/New_York')) in [m]", True),
        ("(m | in_zone('America/New_York')) - m", timedelta(0)),
    ],
)
def test_in_zone_holds_for_every_later_filter_and_for_text(source: str, expected: object):
    found = value(source, m=LATE)

    assert found == (expected.replace("\u202f", " ") if isinstance(expected, str) else expected)


def test_a_zone_stays_through_arithmetic_over_a_change_of_clocks():
    berlin = "(moment('2026-10-24T23:30-04:00') | in_zone('Europe/Berlin'))"

    assert value(f"{berlin} | text") == "2026-10-25 04:30"
    assert value(f"({berlin} - duration('2h')) | text") == "2026-10-25 02:30"
    assert value(f"({berlin} - duration('3h')) | text") == "2026-10-25 02:30"
    assert value(f"({berlin} - duration('2h')) == ({berlin} - duration('3h'))") is False
    assert value(f"({berlin} - duration('2h')) > ({berlin} - duration('3h'))") is True
    assert value(f"[{berlin} - duration('2h'), {berlin} - duration('3h')] | unique | length") == 2


def test_business_days_keep_the_time_of_day_of_the_zone_a_moment_was_put_into():
    before_new_york_changes = "(moment('2026-03-06T15:00Z') | in_zone('America/New_York'))"

    assert value(f"{before_new_york_changes} | text") == "2026-03-06 10:00"
    assert value(f"({before_new_york_changes} + duration('1 business day')) | text") == "2026-03-09 10:00"


def test_a_moment_with_a_mere_offset_is_shown_in_the_zone_of_the_process():
    assert value("moment('2026-03-06T10:00-05:00') | text") == "2026-03-06 16:00"


def test_lists_are_equal_if_their_items_are():
    assert value("[1, 2] == two", two=(1, 2)) is True
    assert value("two == [1, 2, 3]", two=(1, 2)) is False
