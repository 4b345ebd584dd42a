"""How a template writes dates, times and money: in the language and the zone of whoever reads the mail.

Every function here is a filter of mail templates (`{{ meeting.start | time }}`). Who reads is set once
per rendering by `reading`, so that macros and included files format as the mail itself does.
Source of all wording: Unicode CLDR through babel.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta, tzinfo
from decimal import Decimal
from functools import lru_cache
from typing import Any, Literal
from zoneinfo import ZoneInfo

from babel import Locale
from babel.core import UnknownLocaleError
from babel.dates import (
    format_date,
    format_interval,
    format_time,
    get_time_format,
    get_timezone_gmt,
    get_timezone_name,
)
from babel.numbers import format_currency, format_decimal
from babel.units import format_unit

Width = Literal["short", "medium", "long", "full"]
WIDTHS: tuple[Width, ...] = ("short", "medium", "long", "full")
WHOLE_FROM = 1000
"""Amounts of money from here on are written without their cents, if they have none."""


@dataclass(slots=True)
class Reader:
    """Who reads this mail, and how often its template may still go round a `range`."""

    locale: Locale
    zone: tzinfo
    rounds: int


_reader: ContextVar[Reader] = ContextVar("reader")


@contextmanager
def reading(locale: Locale, zone: tzinfo, rounds: int) -> Iterator[None]:
    """Write for this reader, within this many rounds, until the block ends."""
    token = _reader.set(Reader(locale, zone, rounds))
    try:
        yield
    finally:
        _reader.reset(token)


@lru_cache(maxsize=256)
def locale_of(language: str) -> Locale | None:
    """The locale of a language tag, None for one that babel does not know."""
    try:
        return Locale.parse(language.replace("-", "_"))
    except (UnknownLocaleError, ValueError):
        return None


@lru_cache(maxsize=1024)
def zone_of(name: str) -> tzinfo:
    """The zone of that IANA name; UTC for "" and for a name nobody knows: a mail is not held up by a typo
    in a contact's zone, and every time it writes can be followed by its zone."""
    try:
        return ZoneInfo(name) if name else UTC
    except (KeyError, OSError, ValueError):
        return UTC


def budgeted_range(*bounds: int) -> range:
    """`range` for templates; all ranges of one mail share its rounds.

    Raises:
        OverflowError: the rounds are used up.
    """
    wanted = range(*bounds)
    spend(len(wanted))
    return wanted


def spend(rounds: int) -> None:
    """Raises:
    OverflowError: the rounds of this mail are used up.
    """
    reader = _reader.get()
    reader.rounds -= rounds
    if reader.rounds < 0:
        raise OverflowError("its loops and macros go round too often")


def write_date(value: date, width: Width = "long", *, zone: str = "") -> str:
    """`6 March 2026`; `full` adds the weekday."""
    return _plain(_day(_local(value, _zone(zone)), width, _reader.get().locale))


def write_time(value: datetime, width: Width = "short", *, zone: str = "") -> str:
    """`10:00`, or `10:00 AM` where people write it so."""
    return _plain(_time(_moment(value), width, _zone(zone), _reader.get().locale))


def write_datetime(value: datetime, width: Width = "long", *, zone: str = "") -> str:
    """`6 March 2026, 10:00`: the date in this width, the time without seconds."""
    return _plain(_day_and_time(_moment(value), width, _zone(zone), _reader.get().locale))


def write_timespan(start: date, end: date | None = None, *, all_day: bool = False, zone: str = "") -> str:
    """`Friday, 6 March 2026, 10:00–11:30`; over midnight both days in full; an all-day one without times.

    An all-day span that ends at midnight ends with the day before.
    """
    return _timespan(start, end, _zone(zone), _reader.get().locale, all_day=all_day)


@lru_cache(maxsize=1024)
def _timespan(start: date, end: date | None, zone: tzinfo, locale: Locale, *, all_day: bool) -> str:
    """Cached: a mail says it in its preview, its HTML and its text, and it is the dearest of all formats."""
    first, last = _local(start, zone), _local(end or start, zone)
    if all_day or not isinstance(start, datetime):
        if isinstance(end, datetime) and last > first and _at_midnight(end, zone):
            last -= timedelta(days=1)
        return _plain(" – ".join(_day(day, "full", locale) for day in dict.fromkeys((first, last))))
    if not isinstance(end, datetime) or end == start:
        return _plain(_day_and_time(start, "full", zone, locale))
    if first != last:
        return _plain(" – ".join(_day_and_time(moment, "full", zone, locale) for moment in (start, end)))
    clock = "Hm" if "H" in str(get_time_format("short", locale).pattern) else "hm"
    hours = format_interval(start, end, clock, tzinfo=zone, locale=locale)
    return _plain(str(locale.datetime_formats["full"]).format(hours, _day(first, "full", locale)))


def write_weekday(value: date, *, zone: str = "") -> str:
    """`Friday`."""
    return format_date(_local(value, _zone(zone)), "EEEE", locale=_reader.get().locale)


def write_zone(value: datetime, *, zone: str = "") -> str:
    """The zone's name at that moment: `CET`, `MEZ`, or `GMT+01:00` where no short name is in use."""
    local, locale = _moment(value).astimezone(_zone(zone)), _reader.get().locale
    name = get_timezone_name(local, width="short", locale=locale)
    return name if name.isascii() and name.isalpha() else get_timezone_gmt(local, width="long", locale=locale)


def write_money(value: float | Decimal, currency: str) -> str:
    """`€12,500.00` for `money("EUR")`; whole amounts from 1,000 on without the cents."""
    amount, locale = _number(value), _reader.get().locale
    if amount == amount.to_integral_value() and abs(amount) >= WHOLE_FROM:
        whole = str(locale.currency_formats["standard"].pattern).replace(".00", "")
        return _plain(format_currency(amount, currency, whole, locale=locale, currency_digits=False))
    return _plain(format_currency(amount, currency, locale=locale))


def write_number(value: float | Decimal) -> str:
    """`1,234.5`."""
    return _plain(format_decimal(_number(value), locale=_reader.get().locale))


def write_duration(value: timedelta) -> str:
    """`1 hour 30 minutes`, `2 days`: the two largest units, nothing below a minute."""
    if not isinstance(value, timedelta):
        raise TypeError(f"a duration is needed, not {_called(value)}")
    minutes = round(abs(value).total_seconds() / 60)
    days, rest = divmod(minutes, 24 * 60)
    amounts = (("day", days), ("hour", rest // 60), ("minute", rest % 60))
    said = [(unit, amount) for unit, amount in amounts if amount][:2] or [("minute", 0)]
    locale = _reader.get().locale
    return _plain(" ".join(format_unit(n, f"duration-{unit}", "long", locale=locale) for unit, n in said))


FORMATS: Mapping[str, Callable[..., str]] = {
    "date": write_date,
    "time": write_time,
    "datetime": write_datetime,
    "timespan": write_timespan,
    "weekday": write_weekday,
    "zone": write_zone,
    "money": write_money,
    "number": write_number,
    "duration": write_duration,
}


def _moment(value: Any) -> datetime:
    if not isinstance(value, datetime):
        raise TypeError(f"a date and time is needed, not {_called(value)}")
    if value.tzinfo is None:
        raise TypeError("a date and time without a zone cannot be written")
    return value


def _local(value: Any, zone: tzinfo) -> date:
    if isinstance(value, datetime):
        return _moment(value).astimezone(zone).date()
    if not isinstance(value, date):
        raise TypeError(f"a date is needed, not {_called(value)}")
    return value


def _zone(name: str | None) -> tzinfo:
    return zone_of(name) if name else _reader.get().zone


def _at_midnight(moment: datetime, zone: tzinfo) -> bool:
    local = moment.astimezone(zone)
    return (local.hour, local.minute) == (0, 0)


def _day(day: date, width: str, locale: Locale) -> str:
    return format_date(day, _width(width), locale=locale)


def _time(moment: datetime, width: str, zone: tzinfo, locale: Locale) -> str:
    return format_time(moment, _width(width), tzinfo=zone, locale=locale)


def _day_and_time(moment: datetime, width: str, zone: tzinfo, locale: Locale) -> str:
    day, time = _day(_local(moment, zone), width, locale), _time(moment, "short", zone, locale)
    return str(locale.datetime_formats[width]).format(time, day)


def _number(value: Any) -> Decimal:
    if isinstance(value, bool) or not isinstance(value, int | float | Decimal):
        raise TypeError(f"a number is needed, not {_called(value)}")
    return Decimal(str(value))


def _called(value: object) -> str:
    return "an empty value" if value is None else f"{type(value).__name__} {value!r:.40}"


def _width(width: str) -> Width:
    if width not in WIDTHS:
        raise ValueError(f"{width!r} is not one of {', '.join(WIDTHS)}")
    return width


def _plain(text: str) -> str:
    """CLDR's thin spaces become ordinary ones: many mail clients show them as boxes, and a subject
    with one would have to be encoded."""
    return text.replace("\u202f", " ").replace("\u2009", " ")
