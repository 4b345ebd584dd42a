"""Time zones by their Windows and their IANA names.

The table is a selection of CLDR's windowsZones.xml (territory 001). A name of either kind is understood.
"""

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import cache
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from procession.sandbox.mailbox.words import Refused

WINDOWS: dict[str, str] = {
    "UTC": "Etc/UTC",
    "Dateline Standard Time": "Etc/GMT+12",
    "Hawaiian Standard Time": "Pacific/Honolulu",
    "Alaskan Standard Time": "America/Anchorage",
    "Pacific Standard Time": "America/Los_Angeles",
    "US Mountain Standard Time": "America/Phoenix",
    "Mountain Standard Time": "America/Denver",
    "Central Standard Time": "America/Chicago",
    "Eastern Standard Time": "America/New_York",
    "Atlantic Standard Time": "America/Halifax",
    "Newfoundland Standard Time": "America/St_Johns",
    "E. South America Standard Time": "America/Sao_Paulo",
    "Argentina Standard Time": "America/Buenos_Aires",
    "SA Pacific Standard Time": "America/Bogota",
    "Azores Standard Time": "Atlantic/Azores",
    "GMT Standard Time": "Europe/London",
    "Greenwich Standard Time": "Atlantic/Reykjavik",
    "W. Europe Standard Time": "Europe/Berlin",
    "Romance Standard Time": "Europe/Paris",
    "Central Europe Standard Time": "Europe/Budapest",
    "Central European Standard Time": "Europe/Warsaw",
    "E. Europe Standard Time": "Europe/Chisinau",
    "FLE Standard Time": "Europe/Kiev",
    "GTB Standard Time": "Europe/Bucharest",
    "Israel Standard Time": "Asia/Jerusalem",
    "Egypt Standard Time": "Africa/Cairo",
    "South Africa Standard Time": "Africa/Johannesburg",
    "Turkey Standard Time": "Europe/Istanbul",
    "Russian Standard Time": "Europe/Moscow",
    "Arab Standard Time": "Asia/Riyadh",
    "Arabian Standard Time": "Asia/Dubai",
    "Iran Standard Time": "Asia/Tehran",
    "Pakistan Standard Time": "Asia/Karachi",
    "India Standard Time": "Asia/Calcutta",
    "Nepal Standard Time": "Asia/Katmandu",
    "Bangladesh Standard Time": "Asia/Dhaka",
    "SE Asia Standard Time": "Asia/Bangkok",
    "China Standard Time": "Asia/Shanghai",
    "Singapore Standard Time": "Asia/Singapore",
    "W. Australia Standard Time": "Australia/Perth",
    "Tokyo Standard Time": "Asia/Tokyo",
    "Korea Standard Time": "Asia/Seoul",
    "AUS Eastern Standard Time": "Australia/Sydney",
    "New Zealand Standard Time": "Pacific/Auckland",
}


@cache
def zone(name: str) -> ZoneInfo:
    """The zone of a Windows or IANA name; UTC for none.

    Raises:
        Refused: no such zone.
    """
    try:
        return ZoneInfo(WINDOWS.get(name, name or "Etc/UTC"))
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise Refused(f"The time zone '{name}' is not known.", reason="TimeZone") from None


def offset(name: str, moment: datetime) -> timedelta:
    return moment.astimezone(zone(name)).utcoffset() or timedelta()


def midnight(day: date, name: str) -> datetime:
    """The start of a day in a zone, in UTC."""
    return datetime(day.year, day.month, day.day, tzinfo=zone(name)).astimezone(UTC)


@dataclass(frozen=True, slots=True)
class Shift:
    """A yearly change of a zone's offset: the `nth` (1 to 5, 5 the last) weekday (0 Monday) of a month, at a wall time."""

    month: int
    weekday: int
    nth: int
    at: timedelta
    offset: timedelta
    daylight: bool


@dataclass(frozen=True, slots=True)
class Rules:
    """A zone in one year: the standard offset, and the two changes of a year that has daylight saving."""

    standard: timedelta
    shifts: tuple[Shift, ...]


@cache
def rules(name: str, year: int) -> Rules:
    """How a zone behaves in a year, found by walking through it."""
    place = zone(name)
    start = datetime(year, 1, 1, tzinfo=UTC)
    shifts = []
    before = _offset(start, place)
    for day in (start + timedelta(days=number) for number in range(366)):
        if _offset(day + timedelta(days=1), place) == before:
            continue
        moment = next(
            one for hour in range(1, 25) if _offset(one := day + timedelta(hours=hour), place) != before
        )
        shifts.append(_shift((moment + before).replace(tzinfo=None), moment.astimezone(place)))
        before = _offset(day + timedelta(days=1), place)
    standard = min([before, *(shift.offset for shift in shifts)]) if len(shifts) == 2 else before  # noqa: PLR2004 - into and out of daylight saving
    return Rules(standard, tuple(shifts) if len(shifts) == 2 else ())  # noqa: PLR2004 - into and out of daylight saving


def _offset(moment: datetime, place: ZoneInfo) -> timedelta:
    return moment.astimezone(place).utcoffset() or timedelta()


def _shift(wall: datetime, after: datetime) -> Shift:
    nth = (wall.day - 1) // 7 + 1
    last = (wall + timedelta(days=7)).month != wall.month
    at = timedelta(hours=wall.hour, minutes=wall.minute)
    return Shift(
        wall.month,
        wall.weekday(),
        5 if last else nth,
        at,
        after.utcoffset() or timedelta(),
        bool(after.dst()),
    )
