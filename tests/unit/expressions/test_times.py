from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from procession import times
from procession.times import Calendar
from procession.values import BusinessDays, from_json, to_json

BERLIN = ZoneInfo("Europe/Berlin")
GERMANY = Calendar("DE")


@pytest.mark.parametrize(
    ("text", "duration"),
    [
        ("30s", timedelta(seconds=30)),
        ("90 sec", timedelta(seconds=90)),
        ("5m", timedelta(minutes=5)),
        ("5 min", timedelta(minutes=5)),
        ("24h", timedelta(hours=24)),
        ("1.5 hours", timedelta(minutes=90)),
        ("3 days", timedelta(days=3)),
        ("1d", timedelta(days=1)),
        ("1 week", timedelta(weeks=1)),
        ("2W", timedelta(weeks=2)),
        ("-2 days", timedelta(days=-2)),
        ("  1 Day ", timedelta(days=1)),
        ("PT2H", timedelta(hours=2)),
        ("P1DT12H30M", timedelta(days=1, hours=12, minutes=30)),
        ("PT0.5S", timedelta(seconds=0.5)),
        ("P2W", timedelta(weeks=2)),
        ("-PT5M", timedelta(minutes=-5)),
        ("PT0S", timedelta(0)),
        (timedelta(days=2), timedelta(days=2)),
    ],
)
def test_a_duration_is_read_as_people_write_it(text, duration):
    assert times.parse_duration(text) == duration


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("30", "'30' has no unit. Write it as 30s, 5m, 24h, 3 days, 2 business days, 1 week or PT2H."),
        (30, "30 has no unit. Write it as 30s, 5m, 24h, 3 days, 2 business days, 1 week or PT2H."),
        (True, "True has no unit. Write it as 30s, 5m, 24h, 3 days, 2 business days, 1 week or PT2H."),
        ("soon", "'soon' is not a duration. Write it as 30s, 5m, 24h, 3 days, 2 business days, 1 week or PT2H."),
        ("2 fortnights", "'2 fortnights' is not a duration. Write it as 30s, 5m, 24h, 3 days, 2 business days, 1 week or PT2H."),
        ("1 month", "'1 month': months differ in length. Write 30 days or 4 weeks."),
        ("2 years", "'2 years': years differ in length. Write 30 days or 4 weeks."),
        ("P1M", "'P1M' is not a duration of fixed length. Write it as 30s, 5m, 24h, 3 days, 2 business days, 1 week or PT2H."),
        ("P", "'P' is not a duration of fixed length. Write it as 30s, 5m, 24h, 3 days, 2 business days, 1 week or PT2H."),
        ("200 years", "'200 years': years differ in length. Write 30 days or 4 weeks."),
        ("99999 days", "'99999 days' is longer than a hundred years."),
        ("2 business days", "'2 business days' depends on the calendar; here the length must be fixed. Write 2 days or 48h."),
    ],
)  # fmt: skip
def test_what_is_no_duration_of_fixed_length_is_refused_with_what_to_write(text, message):
    with pytest.raises(ValueError) as caught:
        times.parse_duration(text)

    assert str(caught.value) == message


def test_business_days_are_a_duration_of_their_own():
    assert times.parse_any_duration("2 business days") == BusinessDays(2)
    assert times.parse_any_duration("1 business day") == BusinessDays(1)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "24 business hours",
            (
                "'24 business hours': only days can be business days, since no opening hours are known. "
                "Write 1 business day for the same time on the next working day, or 24h for a day and a night."
            ),
        ),
        (
            "1 business week",
            "'1 business week': a business week is not the same everywhere. Write 5 business days.",
        ),
        ("1.5 business days", "'1.5 business days': business days are whole days."),
        ("90000 business days", "'90000 business days' is longer than a hundred years."),
    ],
)
def test_only_whole_days_can_be_business_days(text, message):
    with pytest.raises(ValueError) as caught:
        times.parse_any_duration(text)

    assert str(caught.value) == message


FRIDAY = datetime(2026, 3, 6, 9, 0, tzinfo=UTC)


def test_a_business_day_after_friday_is_monday_at_the_same_time():
    assert times.add(FRIDAY, BusinessDays(1), BERLIN) == datetime(2026, 3, 9, 9, 0, tzinfo=UTC)


def test_business_days_go_back_too():
    assert times.add(FRIDAY, BusinessDays(-5), BERLIN) == datetime(2026, 2, 27, 9, 0, tzinfo=UTC)


def test_a_business_day_after_a_saturday_is_monday():
    saturday = datetime(2026, 3, 7, 9, 0, tzinfo=UTC)

    assert times.add(saturday, BusinessDays(1), BERLIN) == datetime(2026, 3, 9, 9, 0, tzinfo=UTC)


def test_no_business_days_change_nothing():
    saturday = datetime(2026, 3, 7, 9, 0, tzinfo=UTC)

    assert times.add(saturday, BusinessDays(0), BERLIN) == saturday


def test_the_day_is_that_of_the_zone():
    late_on_thursday = datetime(2026, 3, 5, 23, 30, tzinfo=UTC)  # Friday in Berlin

    assert times.add(late_on_thursday, BusinessDays(1), BERLIN) == datetime(2026, 3, 8, 23, 30, tzinfo=UTC)


def test_a_time_that_the_change_of_clocks_skips_is_moved_past_the_gap():
    thursday = datetime(2026, 3, 26, 2, 30, tzinfo=BERLIN)

    found = times.add(thursday, BusinessDays(2), BERLIN)

    assert found.astimezone(BERLIN) == datetime(2026, 3, 30, 2, 30, tzinfo=BERLIN)


def test_public_holidays_are_no_business_days():
    maundy_thursday = datetime(2026, 4, 2, 9, 0, tzinfo=UTC)

    assert times.add(maundy_thursday, BusinessDays(1), BERLIN, GERMANY).date() == date(2026, 4, 7)


def test_regions_have_holidays_of_their_own():
    epiphany = date(2026, 1, 6)

    assert times.is_business_day(epiphany, Calendar("DE", "BE"))
    assert not times.is_business_day(epiphany, Calendar("DE", "BY"))


def test_weekends_are_those_of_the_country():
    friday = date(2026, 3, 6)

    assert not times.is_business_day(friday, Calendar("SA"))
    assert times.is_business_day(friday)


def test_an_unknown_country_is_named():
    with pytest.raises(ValueError) as caught:
        times.is_business_day(date(2026, 1, 1), Calendar("XX"))

    assert str(caught.value) == "no public holidays are known for 'XX'. Write a country code such as DE."


def test_a_day_is_twenty_four_hours_over_the_change_of_clocks():
    saturday = datetime(2026, 3, 28, 12, 0, tzinfo=BERLIN)

    assert times.add(saturday, timedelta(days=1), BERLIN).hour == 13


def test_a_zone_has_its_name():
    assert times.zone("Europe/Berlin") == BERLIN


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("Europe/Berln", "Did you mean 'Europe/Berlin'?"),
        ("europe/berlin ", "Did you mean 'Europe/Berlin'?"),
        ("Berlin", "Did you mean 'Europe/Berlin'?"),
        ("New York", "Did you mean 'America/New_York'?"),
        ("qqqqqqqq", "Write it as Europe/Berlin."),
        ("../../etc/passwd", "Write it as Europe/Berlin."),
        ("", "Write it as Europe/Berlin."),
        ("Europe", "Write it as Europe/Berlin."),
    ],
)
def test_an_unknown_zone_is_told_from_a_misspelled_one(name, hint):
    with pytest.raises(ValueError) as caught:
        times.zone(name)

    assert str(caught.value) == f"there is no time zone {name!r}. {hint}"


def test_a_moment_with_an_offset_is_itself():
    assert times.parse_moment("2026-03-06T10:00+01:00") == FRIDAY


def test_a_moment_without_an_offset_is_in_the_zone():
    assert times.parse_moment("2026-03-06 10:00", BERLIN) == FRIDAY


@pytest.mark.parametrize(("text", "zone", "problem"), [
    ("2027-03-28T02:30", "Europe/Berlin", ("'2027-03-28T02:30:00' is a time that Europe/Berlin does not have: "
     "its clocks are put forward then. Write it as 2027-03-28T03:30.")),
    ("2026-10-25 02:30", "Europe/Berlin", ("'2026-10-25T02:30:00' comes twice in Europe/Berlin, whose clocks "
     "are put back then. Write 2026-10-25T02:30+02:00 for the first, 2026-10-25T02:30+01:00 for the second.")),
    ("2026-10-04T02:15", "Australia/Lord_Howe", ("'2026-10-04T02:15:00' is a time that Australia/Lord_Howe does not have: "
     "its clocks are put forward then. Write it as 2026-10-04T02:45.")),
])  # fmt: skip
def test_a_time_that_a_zone_does_not_have_or_has_twice_is_named(text, zone, problem):
    with pytest.raises(ValueError) as caught:
        times.parse_moment(text, ZoneInfo(zone))

    assert str(caught.value) == problem


@pytest.mark.parametrize("day", [date(2027, 3, 28), "2027-03-28", " 2027-03-28 "])
def test_a_day_whose_midnight_is_left_out_begins_with_its_first_moment(day):
    beirut = ZoneInfo("Asia/Beirut")

    found = times.parse_moment(day, beirut)

    assert found.astimezone(UTC) == datetime(2027, 3, 27, 22, tzinfo=UTC)
    assert found.astimezone(UTC).astimezone(beirut).isoformat() == "2027-03-28T01:00:00+03:00"


def test_a_date_alone_is_its_midnight():
    assert times.parse_moment(date(2026, 3, 6), BERLIN) == datetime(2026, 3, 6, tzinfo=BERLIN)


def test_a_moment_without_an_offset_or_a_zone_is_refused():
    with pytest.raises(ValueError) as caught:
        times.parse_moment("2026-03-06T10:00")

    assert (
        str(caught.value) == "'2026-03-06T10:00:00' names no time zone. Write it as 2026-03-06T10:00+01:00."
    )


def test_what_is_no_date_is_refused():
    with pytest.raises(ValueError) as caught:
        times.parse_day("06.03.2026")

    assert str(caught.value) == "'06.03.2026' is not a date. Write it as 2026-03-06."


@pytest.mark.parametrize(
    ("duration", "text"),
    [
        (timedelta(days=2, hours=3, minutes=5), "2 days 3 hours"),
        (timedelta(minutes=1), "1 minute"),
        (timedelta(0), "0 seconds"),
        (timedelta(hours=-1), "minus 1 hour"),
        (BusinessDays(1), "1 business day"),
        (BusinessDays(2), "2 business days"),
    ],
)
def test_a_duration_is_spoken_in_its_two_largest_units(duration, text):
    assert times.spoken(duration) == text


def test_business_days_survive_the_journal():
    assert from_json(to_json({"wait": BusinessDays(2)})) == {"wait": BusinessDays(2)}
