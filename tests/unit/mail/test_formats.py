"""Dates, times, money and durations as readers of several languages and zones see them."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from mail_world import templates

from procession.errors import ExpressionError

START = datetime(2026, 3, 6, 9, tzinfo=UTC)
GIVEN = {
    "start": START, "end": START + timedelta(minutes=90), "late": START + timedelta(hours=20), "day": date(2026, 3, 6),
    "none": None, "half": timedelta(minutes=90), "zero": timedelta(0), "days": timedelta(days=2, hours=3, minutes=5),
    "naive": datetime(2026, 3, 6, 9), "three": timedelta(days=3), "back": timedelta(hours=-2),
}  # fmt: skip


def write(expression: str, language: str = "en-GB", timezone: str = "Europe/Berlin", **given: Any) -> str:
    mail = templates(m__subject_txt="s", m__body_txt=f"{{{{ {expression} }}}}")
    return mail.render("m", GIVEN | given, language=language, timezone=timezone).text.rstrip("\n")


@pytest.mark.parametrize(("expression", "written"), [
    ("start | date", "6 March 2026"),
    ("start | date('full')", "Friday, 6 March 2026"),
    ("start | date('short')", "06/03/2026"),
    ("day | date", "6 March 2026"),
    ("start | date(zone='Pacific/Auckland')", "6 March 2026"),
    ("late | date(zone='America/New_York')", "7 March 2026"),
    ("start | time", "10:00"),
    ("start | time(zone='Asia/Kolkata')", "14:30"),
    ("start | datetime", "6 March 2026, 10:00"),
    ("start | datetime('full')", "Friday, 6 March 2026, 10:00"),
    ("start | weekday", "Friday"),
    ("start | zone", "CET"),
    ("start | zone(zone='Asia/Kolkata')", "GMT+05:30"),
    ("start | timespan(end)", "Friday, 6 March 2026, 10:00–11:30"),
    ("start | timespan", "Friday, 6 March 2026, 10:00"),
    ("start | timespan(start)", "Friday, 6 March 2026, 10:00"),
    ("start | timespan(late)", "Friday, 6 March 2026, 10:00 – Saturday, 7 March 2026, 06:00"),
    ("start | timespan(end, all_day=true)", "Friday, 6 March 2026"),
    ("day | timespan", "Friday, 6 March 2026"),
    ("half | duration", "1 hour 30 minutes"),
    ("days | duration", "2 days 3 hours"),
    ("three | duration", "3 days"),
    ("zero | duration", "0 minutes"),
    ("back | duration", "2 hours"),
    ("1234.5 | number", "1,234.5"),
    ("12500 | money('EUR')", "€12,500"),
    ("12500.5 | money('EUR')", "€12,500.50"),
    ("950 | money('GBP')", "£950.00"),
    ("4200000 | money('JPY')", "JP¥4,200,000"),
])  # fmt: skip
def test_an_english_reader_in_berlin(expression: str, written: str) -> None:
    assert write(expression) == written


@pytest.mark.parametrize(("expression", "language", "written"), [
    ("start | date('full')", "de", "Freitag, 6. März 2026"),
    ("start | time", "en-US", "10:00 AM"),
    ("start | zone", "de", "MEZ"),
    ("start | timespan(end)", "en-US", "Friday, March 6, 2026, 10:00 – 11:30 AM"),
    ("half | duration", "de", "1 Stunde 30 Minuten"),
    ("12500 | money('EUR')", "de-AT", "€ 12.500"),
    ("12500.5 | money('CHF')", "fr", "12 500,50 CHF"),
    ("1234.5 | number", "de", "1.234,5"),
])  # fmt: skip
def test_readers_of_other_languages(expression: str, language: str, written: str) -> None:
    mail = templates(**{f"m__{tag}__{part}": "s" if "sub" in part else f"{{{{ {expression} }}}}" for tag in ("de", "fr") for part in ("subject_txt", "body_txt")} | {
        "m__subject_txt": "s", "m__body_txt": f"{{{{ {expression} }}}}",
    })  # fmt: skip

    found = mail.render("m", GIVEN, language=language, timezone="Europe/Berlin").text

    assert found.replace("\u00a0", " ") == f"{written}\n"


def test_decimals_are_amounts_too() -> None:
    assert write("amount | money('EUR')", amount=Decimal("12500.00")) == "€12,500"


@pytest.mark.parametrize(("expression", "message"), [
    ("none | date", "a date is needed, not an empty value"),
    ("'x' | time", "a date and time is needed, not str 'x'"),
    ("naive | time", "a date and time without a zone cannot be written"),
    ("none | money('EUR')", "a number is needed, not an empty value"),
    ("true | number", "a number is needed, not bool True"),
    ("3 | duration", "a duration is needed, not int 3"),
    ("start | date('huge')", "'huge' is not one of short, medium, long, full"),
])  # fmt: skip
def test_what_cannot_be_written_says_what_is_needed(expression: str, message: str) -> None:
    with pytest.raises(ExpressionError, match=f"^the mail cannot be written: {message}$"):
        write(expression)


def test_an_unknown_zone_is_utc_and_says_so() -> None:
    assert write("start | time ~ ' ' ~ (start | zone)", timezone="Mars/Olympus") == "09:00 UTC"
