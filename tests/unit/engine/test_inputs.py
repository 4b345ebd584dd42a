"""What the inputs of a process accept, from whomever."""

import json
from datetime import UTC, date, datetime, timedelta, tzinfo
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from crm.schema import SCHEMA
from procession.compile import compile_text
from procession.errors import InputError
from procession.inputs import Caller, checked
from procession.mail import Templates
from procession.plan import Plan
from procession.records import Record, Ref
from procession.values import BusinessDays, from_json, own_zone, to_json

BERLIN = ZoneInfo("Europe/Berlin")
NOON = datetime(2026, 3, 6, 12, tzinfo=UTC)
DECLARED = """
  word: {type: text, required: false}
  code: {type: text, pattern: "[A-Z]{2}[0-9]+", required: false, description: Two letters and a number}
  days: {type: int, min: 1, max: 5, title: How many days, required: false}
  share: {type: number, min: 0.5, required: false}
  sure: {type: bool, required: false}
  day: {type: date, max: 2026-12-31, required: false}
  at: {type: datetime, min: 2026-01-01T00:00+01:00, required: false}
  after: {type: duration, min: 1h, max: 2 days, required: false}
  how: {type: select, options: [phone, mail], required: false}
  all: {type: list, required: false}
  contact: {type: record, of: contact, required: false}
  boss: {type: user, required: false}
  mail: {type: template, required: false}
"""


def plan(declared: str = DECLARED) -> Plan:
    text = f"process: p\ninputs:{declared}triggers: [{{manual: {{}}}}]\nsteps: [{{stop: done}}]\n"
    return compile_text(text, "p.yaml", Templates.of_files({}), SCHEMA, ())


PLAN = plan()
ANN = Record(Ref("contact", 3), {"name": "Ann"})
TOKYO = datetime(2026, 3, 6, 9, tzinfo=ZoneInfo("Asia/Tokyo"))


@pytest.mark.parametrize(
    ("name", "written", "value"),
    [
        ("word", "", ""), ("word", "contact:3", "contact:3"), ("code", "AB12", "AB12"),
        ("days", "3", 3), ("days", 3, 3), ("days", 3.0, 3), ("days", " 5 ", 5), ("days", Decimal(2), 2),
        ("share", "12.5", Decimal("12.5")), ("share", "7", 7), ("share", 0.5, 0.5), ("share", Decimal("0.75"), Decimal("0.75")),
        ("sure", "yes", True), ("sure", "False", False), ("sure", True, True),
        ("day", "2026-03-06", date(2026, 3, 6)), ("day", date(2026, 3, 6), date(2026, 3, 6)),
        ("at", "2026-03-06T10:00+01:00", datetime(2026, 3, 6, 9, tzinfo=UTC)), ("at", TOKYO, TOKYO),
        ("after", "90m", timedelta(minutes=90)), ("after", "2 business days", BusinessDays(2)),
        ("after", timedelta(hours=2), timedelta(hours=2)), ("how", "phone", "phone"),
        ("all", "a, b,", ("a", "b")), ("all", [1, [2, "x"]], (1, (2, "x"))), ("all", [ANN], (ANN,)),
        ("contact", "contact:3", Ref("contact", 3)), ("contact", "3", Ref("contact", 3)), ("contact", 3, Ref("contact", 3)),
        ("contact", Ref("contact", 3), Ref("contact", 3)), ("contact", ANN, ANN), ("boss", "user:2", Ref("user", 2)),
        ("mail", "welcome", "welcome"),
    ],
)  # fmt: skip
def test_a_value_of_its_type_is_taken_and_a_text_is_read_as_one(name: str, written: Any, value: Any):
    assert checked(PLAN, {name: written}) == {name: value}
    assert type(checked(PLAN, {name: written})[name]) is type(value)


@pytest.mark.parametrize(
    ("name", "written", "message"),
    [
        ("word", 7, "input 'word': 7 is no text. Write it in quotes."),
        ("code", "xx AB12 yy", "input 'code' does not have its form: 'xx AB12 yy'. Two letters and a number"),
        ("code", "AB12\n", "input 'code' does not have its form: 'AB12\\n'. Two letters and a number"),
        ("days", "many", "input 'days' (How many days): 'many' is no whole number. Write it as 3."),
        ("days", 2.5, "input 'days' (How many days): 2.5 is no whole number. Write it as 3."),
        ("days", True, "input 'days' (How many days): True is no whole number. Write it as 3."),
        ("days", 99, "input 'days' (How many days) cannot be 99. Write a value that is at least 1 and at most 5."),
        ("share", "0.25", "input 'share' cannot be 0.25. Write a value that is at least 0.5."),
        ("share", float("nan"), "input 'share': nan is no number. Write it as 3 or 12.5."),
        ("share", "1" * 70, f"input 'share': '{'1' * 58}… is no number. Write it as 3 or 12.5."),
        ("sure", 1, "input 'sure': 1 is neither yes nor no. Write yes or no."),
        ("day", "6.3.2026", "input 'day': '6.3.2026' is not a date. Write it as 2026-03-06."),
        ("day", NOON, "input 'day': 2026-03-06T12:00+00:00 is no date. Write it as 2026-03-06."),
        ("day", "2027-01-01", "input 'day' cannot be 2027-01-01. Write a value that is at most 2026-12-31."),
        ("at", "2026-03-06T10:00", "input 'at': '2026-03-06T10:00:00' names no time zone. Write it as 2026-03-06T10:00+01:00."),
        ("at", "soon", "input 'at': 'soon' is not a moment. Write it as 2026-03-06T10:00+01:00."),
        ("at", "2025-03-06T10:00Z", "input 'at' cannot be 2025-03-06T10:00+00:00. Write a value that is at least 2026-01-01T00:00+01:00."),
        ("after", 5, "input 'after': 5 has no unit. Write it as 30s, 5m, 24h, 3 days, 2 business days, 1 week or PT2H."),
        ("after", "3 days", "input 'after' cannot be 3 days. Write a value that is at least 1 hour and at most 2 days."),
        ("how", "fax", "input 'how' cannot be 'fax'. It is phone or mail."),
        ("how", "pone", "input 'how' cannot be 'pone'. Did you mean 'phone'?"),
        ("all", 5, "input 'all': 5 is no list. Write it as a, b, c."),
        ("all", [b"x"], "input 'all': bytes is nothing that a process can keep."),
        ("contact", "user:2", "input 'contact': user:2 is no contact. Write it as contact:17."),
        ("contact", Record(Ref("user", 2), {}), "input 'contact': user:2 is no contact. Write it as contact:17."),
        ("contact", "Ann", "input 'contact': 'Ann' is no record of contact. Write it as contact:17."),
        ("contact", True, "input 'contact': True is no record of contact. Write it as contact:17."),
        ("contct", "3", "process 'p' has no input 'contct'. Did you mean 'contact'?"),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_refused_with_what_to_write(name: str, written: Any, message: str):
    with pytest.raises(InputError) as caught:
        checked(PLAN, {name: written})

    said = caught.value
    assert f"{said.message}. {said.hint}".removesuffix(" ") == message


def test_what_is_required_must_be_given_unless_it_has_a_default():
    needs = plan("\n  contact: {type: record, of: contact}\n  days: {type: int, default: 2}\n")

    assert checked(needs, {"contact": 3}) == {"contact": Ref("contact", 3)}
    for nothing in ({}, {"contact": None}):
        with pytest.raises(InputError) as caught:
            checked(needs, nothing)
        assert caught.value.message == "input 'contact' of process 'p' is missing"
        assert caught.value.hint == "Give it a record, such as contact:17."


def test_a_caller_says_which_zone_and_now_are_theirs():
    caller = Caller(NOON, BERLIN)

    assert checked(PLAN, {"at": "2026-07-06 10:00"}, caller) == {"at": datetime(2026, 7, 6, 8, tzinfo=UTC)}
    assert checked(PLAN, {"at": "+2 days"}, caller) == {"at": NOON + timedelta(days=2)}


def test_a_word_that_is_no_moment_is_refused_with_how_to_write_one():
    with pytest.raises(InputError) as refused:
        checked(PLAN, {"at": "soon"}, Caller(NOON, BERLIN))

    assert refused.value.hint == (
        "Write it as 2026-03-06T10:00, with +01:00 for a zone of its own, or as +2 days from now."
    )


def test_a_moment_that_somebody_types_is_in_no_zone_and_one_that_was_put_into_a_zone_keeps_it():
    typed = checked(PLAN, {"at": "2026-07-06 10:00"}, Caller(zone=BERLIN))["at"]
    kept = checked(PLAN, {"at": TOKYO})["at"]

    assert own_zone(typed) is None
    assert own_zone(kept) == ZoneInfo("Asia/Tokyo")


def test_the_inputs_come_in_the_order_they_are_declared():
    assert list(checked(PLAN, {"how": "mail", "word": "x", "days": 2})) == ["word", "days", "how"]


ANYTHING = st.recursive(
    st.one_of(
        st.none(), st.booleans(), st.integers(), st.floats(), st.decimals(), st.text(max_size=20), st.dates(), st.timedeltas(),
        st.datetimes(timezones=st.sampled_from([UTC, BERLIN, ZoneInfo("Asia/Tokyo")])), st.datetimes(), st.binary(max_size=3),
        st.builds(BusinessDays, st.integers(-9, 9)), st.builds(Ref, st.sampled_from(["contact", "user"]), st.integers(1, 9)),
        st.sampled_from(["3", "yes", "2026-03-06", "2026-03-06T10:00", "+2 days", "9" * 400, "1e999999", "0001-01-01", "contact:3"]),
    ),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=3), inner, max_size=2)),
    max_leaves=4,
)  # fmt: skip


@settings(max_examples=600)
@given(
    st.sampled_from([declared.name for declared in PLAN.inputs]),
    ANYTHING,
    st.sampled_from([BERLIN, ZoneInfo("Asia/Kolkata")]),
)
@example("at", datetime.min, BERLIN)
@example("at", datetime.max, BERLIN)
@example("at", "9999-12-31T23:59-12:00", BERLIN)
@example("all", [float("nan")], BERLIN)
def test_what_is_accepted_survives_json_and_being_checked_again(name: str, written: Any, zone: tzinfo):
    found, refusal = {}, repr(name)
    try:
        found = checked(PLAN, {name: written}, Caller(NOON, zone))
    except InputError as error:
        refusal = error.message

    assert repr(name) in refusal
    kept = json.dumps(to_json(found))
    assert json.dumps(to_json(from_json(json.loads(kept)))) == kept
    assert json.dumps(to_json(checked(PLAN, found))) == kept
