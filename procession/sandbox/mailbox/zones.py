"""Time zones by their Windows and their IANA names.

The table is that of CLDR (windowsZones.xml, territory 001), as Babel carries it. A name of either kind is understood.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import cache
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from babel.core import get_global

from procession.sandbox.mailbox.words import Refused


@cache
def windows() -> Mapping[str, str]:
    """`{Windows name: IANA name}`."""
    found: Mapping[str, str] = get_global("windows_zone_mapping")
    return found


@cache
def zone(name: str) -> ZoneInfo:
    """The zone of a Windows or IANA name; UTC for none.

    Raises:
        Refused: no such zone.
    """
    try:
        return ZoneInfo(windows().get(name, name or "Etc/UTC"))
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
