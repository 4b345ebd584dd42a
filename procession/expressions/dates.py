"""Moments, dates and durations: reading them, and writing them for people (Unicode CLDR through babel)."""

from collections.abc import Callable, Mapping
from datetime import date, datetime, timedelta
from typing import Any, TypeVar

from jinja2.runtime import Context

from procession import times
from procession.expressions.budget import Mistake, built
from procession.expressions.comparing import key
from procession.expressions.kinds import said
from procession.expressions.known import gives
from procession.expressions.operation import Operation
from procession.expressions.writing import local, zone_called, zone_of
from procession.records import BOOL, DATE, DATETIME, DURATION, NUMBER, TEXT, Record, TypeName
from procession.values import BusinessDays

T = TypeVar("T")
WIDTHS = ("short", "medium", "long", "full")


def _now(context: Context, _nothing: None) -> datetime:
    """`now` in the scope: a moment, or what gives one."""
    now = context.parent.get("now")
    moment = now() if callable(now) else now
    if not isinstance(moment, datetime):
        raise Mistake("the time is not known here")
    return moment


def _today(context: Context, nothing: None) -> date:
    return _now(context, nothing).astimezone(zone_of(context)).date()


def _duration(_context: Context, _nothing: None, text: Any) -> times.Duration:
    return _reading(times.parse_any_duration, text)


def _moment_function(context: Context, _nothing: None, text: Any) -> datetime:
    return _reading(lambda value: times.parse_moment(value, zone_of(context)), text)


def _day_function(_context: Context, _nothing: None, text: Any) -> date:
    return _reading(times.parse_day, text)


def _reading(read: Callable[[Any], T], value: Any) -> T:
    if isinstance(value, list | tuple | Mapping | Record):
        raise Mistake(f"it cannot be read from {said(value)}")
    try:
        return read(value if not isinstance(value, str) else value[:100])
    except (ValueError, OverflowError) as error:
        raise Mistake(str(error)) from error


def _moment(value: Any) -> datetime:
    if not isinstance(value, datetime):
        raise Mistake("it is empty where a moment is needed" if value is None else "a moment is needed")
    if value.tzinfo is None:
        raise Mistake("a moment without a time zone cannot be shown")
    return value


def _day(context: Context, value: Any, zone: Any = None) -> date:
    if isinstance(value, datetime):
        return _local(context, value, zone).date()
    if not isinstance(value, date):
        raise Mistake("it is empty where a date is needed" if value is None else "a date is needed")
    return value


def _local(context: Context, value: Any, zone: Any) -> datetime:
    """In the zone named, else in its own if it was put into one, else in the zone of the process."""
    moment = _moment(value)
    return moment.astimezone(zone_called(zone)) if zone else local(context, moment)


def _in_zone(_context: Context, value: Any, zone: Any) -> datetime:
    return _moment(value).astimezone(zone_called(zone))


def _write_date(
    context: Context, value: Any, width: Any = "long", zone: Any = None, language: Any = "en"
) -> str:
    from babel.dates import format_date

    return _plain(context, format_date(_day(context, value, zone), _width(width), locale=_locale(language)))


def _write_time(
    context: Context, value: Any, width: Any = "short", zone: Any = None, language: Any = "en"
) -> str:
    from babel.dates import format_time

    at = _local(context, value, zone)
    return _plain(context, format_time(at, _width(width), at.tzinfo, locale=_locale(language)))


def _write_datetime(
    context: Context, value: Any, width: Any = "long", zone: Any = None, language: Any = "en"
) -> str:
    day = _write_date(context, value, width, zone, language)
    return built(context, f"{day}, {_write_time(context, value, 'short', zone, language)}")


def _weekday(context: Context, value: Any, zone: Any = None, language: Any = "en") -> str:
    from babel.dates import format_date

    return _plain(context, format_date(_day(context, value, zone), "EEEE", locale=_locale(language)))


def _width(width: Any) -> Any:
    return _reading(_read_width, width)


def _read_width(width: Any) -> str:
    if width not in WIDTHS:
        raise ValueError(f"{str(width)[:40]!r} is no width. Write 'short', 'medium', 'long' or 'full'.")
    return str(width)


def _locale(language: Any) -> Any:
    return _reading(_read_language, language or "en")


def _read_language(language: Any) -> Any:
    from babel import Locale, UnknownLocaleError

    try:
        return Locale.parse(str(language)[:40].replace("-", "_"))
    except (UnknownLocaleError, ValueError):
        raise ValueError(f"{str(language)[:40]!r} is not a language. Write it as de or de-AT.") from None


def _plain(context: Context, text: str) -> str:
    """CLDR's thin spaces become ordinary ones: many mail clients show them as boxes."""
    return built(context, text.replace("\u202f", " ").replace("\u2009", " "))


def _amount(unit: timedelta) -> Callable[[Context, Any], float]:
    def amount(_context: Context, value: Any) -> float:
        if isinstance(value, BusinessDays) and unit == timedelta(days=1):
            return value.days
        if not isinstance(value, timedelta):
            raise Mistake("a duration of fixed length is needed")
        count = value / unit
        return int(count) if count == int(count) else count

    return amount


def _is_past(context: Context, value: Any) -> bool:
    now = _now(context, None)
    if isinstance(value, datetime):
        return bool(key(_moment(value)) < key(now))
    return _day(context, value) < now.astimezone(zone_of(context)).date()


def _is_future(context: Context, value: Any) -> bool:
    now = _now(context, None)
    if isinstance(value, datetime):
        return bool(key(_moment(value)) > key(now))
    return _day(context, value) > now.astimezone(zone_of(context)).date()


_WHEN: tuple[TypeName, ...] = ("datetime", "date")
_SHOWN: dict[str, tuple[TypeName, ...]] = {"width": ("text",), "zone": ("text",), "language": ("text",)}
_READERS = {"width": _read_width, "zone": times.zone, "language": _read_language}

DATE_FILTERS = (
    Operation(
        "date", _write_date, gives(TEXT), "Writes a day for people of a language.",
        "meeting.start | date('full', language='de')", _WHEN, ("width", "zone", "language"),
        wants=_SHOWN, readers=_READERS,
    ),
    Operation(
        "time", _write_time, gives(TEXT), "Writes the time of day.",
        "meeting.start | time(zone=meeting.contact.timezone)", ("datetime",), ("width", "zone", "language"),
        wants=_SHOWN, readers=_READERS,
    ),
    Operation(
        "datetime", _write_datetime, gives(TEXT), "Writes day and time.", "meeting.start | datetime('medium')",
        ("datetime",), ("width", "zone", "language"), wants=_SHOWN, readers=_READERS,
    ),
    Operation(
        "weekday", _weekday, gives(TEXT), "The day of the week.", "meeting.start | weekday == 'Friday'", _WHEN,
        ("zone", "language"), wants=_SHOWN, readers=_READERS,
    ),
    Operation(
        "in_zone", _in_zone, gives(DATETIME), "The same moment in another time zone, in which every later filter and text shows it.",
        "meeting.start | in_zone('Europe/Berlin')", ("datetime",), ("zone",), ("zone",),
        wants=_SHOWN, readers=_READERS,
    ),
    Operation(
        "day", _day, gives(DATE), "The date of a moment, in its own zone or that of the process.",
        "meeting.start | day == today()", _WHEN, ("zone",), wants=_SHOWN, readers=_READERS,
    ),
    Operation(
        "days", _amount(timedelta(days=1)), gives(NUMBER), "How many days a duration has.",
        "(meeting.start - now()) | days", ("duration",),
    ),
    Operation(
        "hours", _amount(timedelta(hours=1)), gives(NUMBER), "How many hours a duration has.",
        "(meeting.end - meeting.start) | hours", ("duration",),
    ),
    Operation(
        "minutes", _amount(timedelta(minutes=1)), gives(NUMBER), "How many minutes a duration has.",
        "(meeting.end - meeting.start) | minutes", ("duration",),
    ),
)  # fmt: skip

DATE_FUNCTIONS = (
    Operation("now", _now, gives(DATETIME), "This moment.", "meeting.start > now()", asks_the_time=True),
    Operation(
        "today", _today, gives(DATE), "Today's date, in the zone of the process.", "close_date < today()",
        asks_the_time=True,
    ),
    Operation(
        "duration", _duration, gives(DURATION), "A duration that is written out.",
        "now() + duration('2 business days')", (), ("text",), ("text",),
        wants={"text": ("text", "duration")}, readers={"text": times.parse_any_duration},
    ),
    Operation(
        "moment", _moment_function, gives(DATETIME), "A moment that is written out, in the zone of the process.",
        "moment('2026-03-06 10:00')", (), ("text",), ("text",),
        wants={"text": ("text", "datetime", "date")},
        readers={"text": lambda value: times.parse_moment(value, times.zone("UTC"))},
    ),
    Operation(
        "day", _day_function, gives(DATE), "A date that is written out.", "close_date < day('2026-12-24')",
        (), ("text",), ("text",), wants={"text": ("text", "date")}, readers={"text": times.parse_day},
    ),
)  # fmt: skip

DATE_TESTS = (
    Operation(
        "past", _is_past, gives(BOOL), "Whether it lies before now.", "meeting.end is past", _WHEN,
        asks_the_time=True,
    ),
    Operation(
        "future", _is_future, gives(BOOL), "Whether it lies after now.", "meeting.start is future", _WHEN,
        asks_the_time=True,
    ),
)  # fmt: skip
