"""Whatever an expression can yield reads the same after a restart: kept as JSON and taken back."""

import itertools
import json
from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from procession.errors import ExpressionError, Place
from procession.expressions import Expression, Text, evaluate, fill
from procession.expressions.operations import FILTERS, TESTS
from procession.records import Record, Ref, fields_of, ref_of
from procession.values import BusinessDays, as_stored, from_json, own_zone, to_json

AT = Place("processes/p.yaml", 1, 1)
BERLIN, NEW_YORK, ZONE_UTC = ZoneInfo("Europe/Berlin"), ZoneInfo("America/New_York"), ZoneInfo("UTC")
TWICE = datetime(2026, 10, 25, 2, 30, tzinfo=BERLIN)
"""In the hour that Berlin's clocks show twice."""
LEFT_OUT = datetime(2026, 3, 29, 2, 30, tzinfo=BERLIN)

# --- values of every type

YEARS = {"min_value": datetime(1900, 1, 2), "max_value": datetime(2200, 1, 1)}
MOMENTS = st.builds(
    lambda moment, zone, fold: moment.replace(tzinfo=zone, fold=fold),
    st.one_of(st.datetimes(**YEARS), st.sampled_from([TWICE.replace(tzinfo=None), LEFT_OUT.replace(tzinfo=None)])),
    st.sampled_from(
        [UTC, ZONE_UTC, BERLIN, NEW_YORK, ZoneInfo("Asia/Kathmandu"), timezone(timedelta(hours=-3, minutes=-30))]
    ),
    st.integers(0, 1),
)  # fmt: skip
TEXTS = st.one_of(
    st.text(st.characters(), max_size=12),
    st.sampled_from(
        ["", "a\0b", "\ud800", "\\x00", "Ärger \udfff", "12.5", "$date", "2026-03-06", "x" * 200]
    ),
)
DURATIONS = st.one_of(
    st.timedeltas(), st.builds(timedelta, st.integers(-400, 400), st.sampled_from([0, 1, 86_399])),
    st.builds(BusinessDays, st.integers(-400, 400)),
)  # fmt: skip
NUMBERS = st.one_of(
    st.integers(), st.floats(), st.decimals(), st.sampled_from([0.1, -0.0, Decimal("1E+3"), 10**18])
)
SCALARS = st.one_of(st.none(), st.booleans(), NUMBERS, TEXTS, st.dates(), MOMENTS, DURATIONS)
REFS = st.builds(Ref, st.sampled_from(["contact", "activity"]), st.integers(1, 10**12))
KEYS = st.one_of(
    TEXTS,
    st.sampled_from(["$date", "$datetime", "$record", "fields", "$map", "$text", "$ref", "$number", "a"]),
    st.integers(-5, 5),
)
VALUES = st.recursive(
    st.one_of(SCALARS, REFS),
    lambda inner: st.one_of(
        st.lists(inner, max_size=4),
        st.lists(inner, max_size=4).map(tuple),
        st.dictionaries(KEYS, inner, max_size=3),
        st.builds(
            lambda ref, name, fields: Record(ref, {"name": name, **fields}),
            REFS,
            st.one_of(st.none(), TEXTS),
            st.dictionaries(st.sampled_from(["start", "owner", "all"]), inner),
        ),
    ),
    max_leaves=8,
)


def again(value: Any) -> Any:
    return from_json(json.loads(json.dumps(to_json(value), allow_nan=False)))


# --- how a value reads

ARGUMENTS = {
    "default": ["'x'"], "round": ["", "2"], "truncate": ["", "3"], "join": ["", "'-'"],
    "sort": ["", "attribute='name'", "attribute='start', reverse=true"], "map": ["attribute='name'", "attribute='owner.name'"],
    "where": ["name='x'", "start=other"], "date": ["'full'", "zone='Asia/Tokyo'"], "time": ["", "'full'"],
    "datetime": ["'medium'"], "weekday": ["", "language='de'"], "in_zone": ["'Asia/Tokyo'", "'UTC'"],
}  # fmt: skip
FILTERED = [f"v | {name}({given})" for name in FILTERS for given in ARGUMENTS.get(name, [""])]
TESTED = [f"v is {name}" for name in TESTS]
SIGNED = [
    f"{left} {sign} {right}"
    for sign in (
        "+",
        "-",
        "*",
        "/",
        "//",
        "%",
        "~",
        "==",
        "!=",
        "<",
        "<=",
        ">",
        ">=",
        "in",
        "not in",
        "and",
        "or",
    )
    for left, right in (("v", "other"), ("other", "v"), ("v", "v"), ("v", "was"))
]
OTHERS = [
    "not v", "-v", "+v", "v[0]", "v[:2]", "[v, v] | unique | length", "[v, other] | sort", "[v, other] | max", "[v] == [other]",
    "v.name", "v.owner.name", "v.start | time", "v.fields", "v in [other, v]", "other in v", "v is empty", "1 if v else 2",
    "v + duration('1 business day')", "v - duration('36h')", "v | in_zone('UTC') | time", "v | day | text",
    "(v + duration('1 day')) | text", "v - moment('2026-10-25 02:30')", "duration(v)", "moment(v)", "day(v)",
]  # fmt: skip
READINGS = [*FILTERED, *TESTED, *SIGNED, *OTHERS]


def reading(source: str, value: Any, other: Any, was: Any) -> Any:
    """What comes of an expression: a value, or the words it failed with."""
    names = {
        "v": value, "other": other, "was": was, "now": datetime(2026, 10, 25, 0, 30, tzinfo=UTC),
        "process": {"timezone": "Europe/Berlin"},
    }  # fmt: skip
    try:
        return shown(evaluate(Expression(source, AT), names))
    except ExpressionError as error:
        return ("failed", error.message)


def written(value: Any) -> Any:
    """Mixed text."""
    try:
        return fill(
            Text(("[", Expression("v", AT), "]")), {"v": value, "process": {"timezone": "Europe/Berlin"}}
        )
    except ExpressionError as error:
        return ("failed", error.message)


def shown(value: Any) -> Any:
    """A value so that two of them are equal if they are alike in everything that can be seen."""
    match value:
        case datetime():
            zone = own_zone(value)
            return ("moment", value.isoformat(), zone.key if zone else None)
        case list() | tuple():
            return ("list", *(shown(each) for each in value))
        case Record():
            return ("record", str(ref_of(value)), shown(fields_of(value)))
        case Mapping():
            return ("group", *((shown(name), shown(each)) for name, each in value.items()))
    return (type(value).__name__, repr(value))


@settings(max_examples=500, deadline=None)
@given(VALUES)
@example({"$date": "2026-03-06"})
@example({"$record": "contact:1", "fields": {"name": 1}})
@example({"$map": [["a", 1]]})
@example([{"$text": "a"}, {"$datetime": datetime(2026, 3, 6, tzinfo=BERLIN)}])
@example({1: "a", "1": "b"})
@example("\ud83d\ude00")
@example(timedelta(days=3_000_000, microseconds=1))
@example(TWICE.replace(fold=1))
@example(LEFT_OUT.replace(fold=1))
@example(Record(Ref("contact", 1), {"owner": Record(Ref("user", 2), {"at": TWICE})}))
def test_every_value_comes_back_from_json_as_it_was(value):
    assert shown(again(value)) == shown(value)


@settings(max_examples=400, deadline=None)
@given(st.data(), VALUES, st.one_of(SCALARS, VALUES))
def test_every_filter_test_operator_and_text_form_reads_a_kept_value_the_same(data, value, other):
    kept, other_kept = again(value), again(other)

    assert written(kept) == written(value)
    for source in data.draw(st.lists(st.sampled_from(READINGS), min_size=4, max_size=8)):
        assert reading(source, kept, other, value) == reading(source, value, other, value), source
        assert reading(source, kept, other_kept, kept) == reading(source, value, other, value), source


NAN = float("nan")
EXAMPLES = [
    None, True, 0, 7, 2.5, float("inf"), NAN, [NAN, NAN], {"of": [NAN], "list": [1, 2]}, Decimal("12.50"), "text", "a\0b", date(2026, 3, 6), timedelta(hours=30),
    BusinessDays(2), datetime(2026, 3, 6, 9, tzinfo=UTC), datetime(2026, 3, 6, 9, tzinfo=ZONE_UTC),
    datetime(2026, 3, 6, 23, 30, tzinfo=NEW_YORK), TWICE, TWICE.replace(fold=1), LEFT_OUT, TWICE.astimezone(UTC),
    TWICE.replace(fold=1).astimezone(NEW_YORK), [1, 2], (TWICE, TWICE.replace(fold=1)), [], {"name": "x", "$date": 1},
    Record(Ref("contact", 1), {"name": "Ann", "start": TWICE, "owner": Record(Ref("user", 2), {"name": "Bob"})}),
    (Record(Ref("contact", 1), {"name": "Ann", "start": None, "owner": None}),),
]  # fmt: skip


@pytest.mark.parametrize("source", READINGS)
def test_it_does_so_for_one_value_of_each_type_beside_each_other(source: str):
    for value, other in itertools.product(EXAMPLES, EXAMPLES):
        expected = reading(source, value, other, value)
        assert reading(source, again(value), again(other), value) == expected, (value, other)


@settings(max_examples=300)
@given(MOMENTS, MOMENTS)
def test_moments_are_compared_as_moments_whatever_zone_they_are_in(left, right):
    apart = left.astimezone(UTC) - right.astimezone(UTC)

    for sign, holds in (
        ("==", apart == timedelta(0)),
        ("<", apart < timedelta(0)),
        (">=", apart >= timedelta(0)),
    ):
        assert reading(f"v {sign} other", left, right, None) == shown(holds)
    assert reading("v - other", left, right, None) == shown(apart)


@given(st.sets(st.one_of(st.integers(), TEXTS, MOMENTS), max_size=5))
def test_what_comes_from_outside_is_read_as_it_will_be_read_later(found):
    stored = as_stored({"found": found})

    assert shown(again(stored)) == shown(stored)
    assert sorted(map(repr, map(shown, stored["found"]))) == sorted(map(repr, map(shown, found)))


def test_what_no_expression_can_yield_is_refused():
    for value in (b"bytes", object(), datetime, 1j, iter([1])):
        with pytest.raises(TypeError, match="cannot be kept in the journal"):
            to_json(value)


def test_what_version_0_1_kept_is_read():
    written = {
        "at": {"$datetime": "2026-03-06T18:30:00-05:00"}, "day": {"$date": "2026-03-06"}, "for": {"$duration": 5400.5},
        "days": {"$business_days": 2}, "sum": {"$decimal": "12.50"}, "who": {"$ref": "contact:1"}, "all": [1, [2.5, None]],
        "ann": {"$record": "contact:1", "fields": {"name": "Ann", "owner": {"$record": "user:2", "fields": {}}}},
        "own": {"$unknown": 1},
    }  # fmt: skip

    read = from_json(written)

    assert read | {"ann": None} == {
        "at": datetime.fromisoformat("2026-03-06T18:30:00-05:00"), "day": date(2026, 3, 6),
        "for": timedelta(seconds=5400.5), "days": BusinessDays(2), "sum": Decimal("12.50"), "who": Ref("contact", 1),
        "all": (1, (2.5, None)), "own": {"$unknown": 1}, "ann": None,
    }  # fmt: skip
    assert ref_of(read["ann"].owner) == Ref("user", 2)


def test_a_zone_that_this_machine_does_not_know_leaves_the_moment():
    read = from_json({"$datetime": "2026-03-06T18:30:00-05:00[Mars/Olympus]"})

    assert read == datetime.fromisoformat("2026-03-06T18:30:00-05:00")
    assert own_zone(read) is None


def test_a_zone_whose_rules_have_changed_since_keeps_the_moment():
    read = from_json({"$datetime": "2026-07-06T18:30:00+01:00[Europe/Berlin]"})

    assert read == datetime.fromisoformat("2026-07-06T18:30:00+01:00")
    assert shown(read) == ("moment", "2026-07-06T19:30:00+02:00", "Europe/Berlin")
