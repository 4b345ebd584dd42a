"""Durations, business days, zones and moments: reading what people write, and adding it up.

`1 day` is 24 hours exactly. `1 business day` is the same time of day, in a zone, on the next day that is
neither weekend nor public holiday (`holidays` library). Months are refused: they differ in length.
ISO 8601 durations (`PT2H`, `P1DT12H`) follow its section 4.4.2.4, without years and months.
"""

import functools
import re
import zoneinfo
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from typing import TYPE_CHECKING

from procession.spelling import closest
from procession.values import BusinessDays

if TYPE_CHECKING:
    import holidays

Duration = timedelta | BusinessDays
FORMS = "Write it as 30s, 5m, 24h, 3 days, 2 business days, 1 week or PT2H."
LONGEST = timedelta(days=36_525)

_UNITS = {
    "s": "seconds", "sec": "seconds", "second": "seconds", "seconds": "seconds",
    "m": "minutes", "min": "minutes", "minute": "minutes", "minutes": "minutes",
    "h": "hours", "hour": "hours", "hours": "hours",
    "d": "days", "day": "days", "days": "days",
    "w": "weeks", "week": "weeks", "weeks": "weeks",
    "month": "months", "months": "months", "year": "years", "years": "years",
}  # fmt: skip
_WRITTEN = re.compile(r"(-?\d{1,9}(?:\.\d{1,6})?)\s*(business\s+)?([a-z]+)")
_ISO = re.compile(
    r"(-?)P(?=\d|T\d)(?:(\d{1,9})W)?(?:(\d{1,9})D)?"
    r"(?:T(?=\d)(?:(\d{1,9})H)?(?:(\d{1,9})M)?(?:(\d{1,9}(?:\.\d{1,6})?)S)?)?"
)


@dataclass(frozen=True, slots=True)
class Calendar:
    """Which days are worked: `country` (ISO 3166, `DE`) and `region` (`BY`) name the public holidays.
    Without a country, Saturdays and Sundays alone are free."""

    country: str = ""
    region: str = ""


WEEKDAYS = Calendar()
_WEEKEND = (5, 6)


def parse_duration(value: object) -> timedelta:
    """Read a duration of fixed length.

    Raises:
        ValueError: it is none, or it depends on a calendar (business days).
    """
    duration = parse_any_duration(value)
    if isinstance(duration, timedelta):
        return duration
    raise ValueError(
        f"{value!r} depends on the calendar; here the length must be fixed. Write 2 days or 48h."
    )


def parse_any_duration(value: object) -> Duration:
    """Read a duration, business days included.

    Raises:
        ValueError: it is none; the message says what to write instead.
    """
    if isinstance(value, timedelta | BusinessDays):
        return value
    if isinstance(value, str):
        return _parse(value.strip()[:100])
    raise ValueError(f"{value!r} has no unit. {FORMS}")


@functools.lru_cache(maxsize=1024)
def _parse(text: str) -> Duration:
    duration = _iso(text) if text.lstrip("-").startswith("P") else _written(text)
    if isinstance(duration, timedelta) and abs(duration) > LONGEST:
        raise ValueError(f"{text!r} is longer than a hundred years.")
    return duration


def _iso(text: str) -> timedelta:
    found = _ISO.fullmatch(text)
    if found is None:
        raise ValueError(f"{text!r} is not a duration of fixed length. {FORMS}")
    sign, *amounts = found.groups(default="0")
    weeks, days, hours, minutes, seconds = map(float, amounts)
    length = timedelta(weeks=weeks, days=days, hours=hours, minutes=minutes, seconds=seconds)
    return -length if sign == "-" else length


def _written(text: str) -> Duration:
    if re.fullmatch(r"-?\d+(\.\d+)?", text):
        raise ValueError(f"{text!r} has no unit. {FORMS}")
    found = _WRITTEN.fullmatch(text.lower())
    unit = _UNITS.get(found[3]) if found else None
    if not found or not unit:
        raise ValueError(f"{text!r} is not a duration. {FORMS}")
    if unit in ("months", "years"):
        raise ValueError(f"{text!r}: {unit} differ in length. Write 30 days or 4 weeks.")
    if found[2]:
        return _business(text, found[1], unit)
    return timedelta(**{unit: float(found[1])})


def _business(text: str, amount: str, unit: str) -> BusinessDays:
    if unit == "weeks":
        raise ValueError(f"{text!r}: a business week is not the same everywhere. Write 5 business days.")
    if unit != "days":
        raise ValueError(
            f"{text!r}: only days can be business days, since no opening hours are known. "
            "Write 1 business day for the same time on the next working day, or 24h for a day and a night."
        )
    if "." in amount:
        raise ValueError(f"{text!r}: business days are whole days.")
    if abs(int(amount)) > LONGEST.days:
        raise ValueError(f"{text!r} is longer than a hundred years.")
    return BusinessDays(int(amount))


def add(
    moment: datetime, duration: Duration, zone: zoneinfo.ZoneInfo, calendar: Calendar = WEEKDAYS
) -> datetime:
    """The moment after a duration; a negative one goes back. The result keeps the moment's own zone.

    Business days keep the time of day in `zone`; from a free day, the first one counted is the next
    business day. Everything else is exact time, also over the change of the clocks.

    Raises:
        ValueError: the calendar's country or region is not known.
        OverflowError: beyond the year 9999.
    """
    if isinstance(duration, timedelta):
        return (moment.astimezone(UTC) + duration).astimezone(moment.tzinfo)
    local = moment.astimezone(zone)
    day = local.date()
    step = timedelta(days=1 if duration.days > 0 else -1)
    left = abs(duration.days)
    while left:
        day += step
        left -= is_business_day(day, calendar)
    return datetime.combine(day, local.time(), zone).astimezone(UTC).astimezone(moment.tzinfo)


def is_business_day(day: date, calendar: Calendar = WEEKDAYS) -> bool:
    """Raises:
    ValueError: the calendar's country or region is not known.
    """
    if not calendar.country:
        return day.weekday() not in _WEEKEND
    return _public_holidays(calendar).is_working_day(day)


@functools.lru_cache(maxsize=64)
def _public_holidays(calendar: Calendar) -> "holidays.HolidayBase":
    import holidays  # a tenth of a second, and only calendars need it

    try:
        return holidays.country_holidays(calendar.country, subdiv=calendar.region or None)
    except NotImplementedError as error:
        where = f"{calendar.country} {calendar.region}".strip()
        raise ValueError(
            f"no public holidays are known for {where!r}. Write a country code such as DE."
        ) from error


def zone(name: str) -> zoneinfo.ZoneInfo:
    """The zone of an IANA name.

    Raises:
        ValueError: there is none of that name; the message names the closest.
    """
    try:
        return zoneinfo.ZoneInfo(name)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
        pass
    raise ValueError(f"there is no time zone {name!r}. {_closest_zone(name)}")


@functools.lru_cache(maxsize=64)
def _closest_zone(name: str) -> str:
    zones = sorted(zoneinfo.available_timezones())
    cities = {zone.rpartition("/")[2]: zone for zone in reversed(zones)}
    close = closest(name.strip()[:60], [*zones, *cities])
    return f"Did you mean {cities.get(close, close)!r}?" if close else "Write it as Europe/Berlin."


def parse_moment(value: object, zone: tzinfo | None = None) -> datetime:
    """Read an ISO 8601 moment, `2026-03-06T10:00+01:00` or `2026-03-06 10:00`. One that names no offset
    is in `zone`; a date alone is its first moment there.

    Raises:
        ValueError: it is no moment, or it has no offset and there is no `zone`, or that has no such time, or has it twice.
    """
    value = _day_alone(value)
    if isinstance(value, date) and not isinstance(value, datetime):
        midnight = datetime.combine(value, time.min)
        return midnight.replace(tzinfo=zone) if zone else parse_moment(midnight)
    moment = _moment(value)
    if moment.tzinfo is not None:
        return moment
    if zone is None:
        raise ValueError(f"{moment.isoformat()!r} names no time zone. Write it as 2026-03-06T10:00+01:00.")
    return _once(moment, zone)


def _day_alone(value: object) -> object:
    """A text that is a date and no more, as that date."""
    if isinstance(value, str) and len(value.strip()) == len("2026-03-06"):
        try:
            return date.fromisoformat(value.strip())
        except ValueError:
            return value
    return value


class AmbiguousTimeError(ValueError):
    """The clocks of a zone show this time never, or twice."""


def _once(moment: datetime, zone: tzinfo) -> datetime:
    """The moment at which the clocks of a zone show this time."""
    first, second = (moment.replace(tzinfo=zone, fold=fold) for fold in (0, 1))
    before, after = first.utcoffset(), second.utcoffset()
    if before == after or before is None or after is None:
        return first
    told = f"{moment.isoformat()!r}"
    if before < after:
        later = (moment + (after - before)).isoformat(timespec="minutes")
        raise AmbiguousTimeError(
            f"{told} is a time that {zone} does not have: its clocks are put forward then. Write it as {later}."
        )
    texts = [each.isoformat(timespec="minutes") for each in (first, second)]
    raise AmbiguousTimeError(
        f"{told} comes twice in {zone}, whose clocks are put back then. "
        f"Write {texts[0]} for the first, {texts[1]} for the second."
    )


def _moment(value: object) -> datetime:
    if isinstance(value, datetime):
        return value
    try:
        return datetime.fromisoformat(str(value).strip())
    except ValueError:
        raise ValueError(f"{value!r} is not a moment. Write it as 2026-03-06T10:00+01:00.") from None


def parse_day(value: object) -> date:
    """Read a date, `2026-03-06`.

    Raises:
        ValueError: it is none.
    """
    if isinstance(value, date) and not isinstance(value, datetime):
        return value
    try:
        return date.fromisoformat(str(value).strip())
    except ValueError:
        raise ValueError(f"{value!r} is not a date. Write it as 2026-03-06.") from None


def spoken(duration: Duration) -> str:
    """`2 days 3 hours`: the two largest units, for people."""
    if isinstance(duration, BusinessDays):
        return str(duration)
    seconds, words = abs(int(duration.total_seconds())), []
    for unit, size in (("day", 86_400), ("hour", 3_600), ("minute", 60), ("second", 1)):
        count, seconds = divmod(seconds, size)
        if count:
            words.append(f"{count} {unit}{'s' if count > 1 else ''}")
    sign = "minus " if duration < timedelta(0) else ""
    return sign + " ".join(words[:2]) if words else "0 seconds"
