"""The description of a time zone that travels with an invitation (RFC 5545, 3.6.5).

One STANDARD and, where the clocks change, one DAYLIGHT with a yearly rule, which is all that Outlook reads
([MS-OXCICAL] 2.1.3.1.1.19); where no yearly rule fits (Morocco), the changes around the year one by one.
"""

from calendar import monthrange
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from functools import lru_cache
from zoneinfo import ZoneInfo

from icalendar import Timezone, TimezoneDaylight, TimezoneStandard, vRecur

from procession.mail.formats import zone_of

DAYS = ("MO", "TU", "WE", "TH", "FR", "SA", "SU")


@dataclass(frozen=True, slots=True)
class Change:
    """The clocks are put from one offset to another, at `local` on the clock before."""

    local: datetime
    before: timedelta
    after: timedelta
    daylight: bool
    name: str


@lru_cache(maxsize=256)
def vtimezone(name: str, year: int) -> bytes:
    """The lines of the zone as it is in this year and the ones beside it; none for UTC. Cached: working them
    out takes a millisecond, and writing them half as long as the whole meeting."""
    described = _described(name, year)
    return described.to_ical() if described else b""


def _described(name: str, year: int) -> Timezone | None:
    zone = zone_of(name)
    if name == "UTC" or not isinstance(zone, ZoneInfo):
        return None
    timezone = Timezone()
    timezone.add("tzid", name)
    changes = [change for around in (year - 1, year, year + 1) for change in _changes(zone, around)]
    rules = [(change, _yearly(change, changes)) for change in _changes(zone, year - 1)]
    if len(rules) == 2 and all(rule for _, rule in rules):  # noqa: PLR2004  to summer and back
        for change, rule in rules:
            timezone.add_component(_observance(change, rule))
        return timezone
    for change in (_always(zone, year - 1), *changes):
        timezone.add_component(_observance(change))
    return timezone


def _changes(zone: tzinfo, year: int) -> list[Change]:
    """The changes of a year, found day by day and then to the minute."""
    found = []
    day = datetime(year, 1, 1, tzinfo=UTC)
    while day.year == year:
        if _offset(day, zone) != _offset(day + timedelta(days=1), zone):
            found.append(_change(day, zone))
        day += timedelta(days=1)
    return found


def _change(day: datetime, zone: tzinfo) -> Change:
    low, high = 0, 24 * 60
    while high - low > 1:
        middle = (low + high) // 2
        same = _offset(day + timedelta(minutes=middle), zone) == _offset(day, zone)
        low, high = (middle, high) if same else (low, middle)
    moment = day + timedelta(minutes=high)
    before, after = _offset(day, zone), moment.astimezone(zone)
    return Change(
        (moment + before).replace(tzinfo=None), before, _offset(moment, zone),
        daylight=_offset(moment, zone) > before, name=after.tzname() or "",
    )  # fmt: skip


def _always(zone: tzinfo, year: int) -> Change:
    """What holds when a year begins."""
    moment = datetime(year, 1, 1, tzinfo=UTC)
    offset, local = _offset(moment, zone), moment.astimezone(zone)
    daylight = bool(local.dst()) and bool(_changes(zone, year))
    return Change(datetime(1970, 1, 1), offset, offset, daylight, local.tzname() or "")  # noqa: DTZ001  local time


def _yearly(change: Change, changes: Sequence[Change]) -> dict[str, object] | None:
    """`FREQ=YEARLY;BYMONTH=3;BYDAY=-1SU`, if it holds for the years beside this one too."""
    same = [other for other in changes if other.daylight == change.daylight]
    day = DAYS[change.local.weekday()]
    for place in (-1, (change.local.day - 1) // 7 + 1):
        if all(_fits(other, change, place) for other in same) and len(same) == 3:  # noqa: PLR2004  three years
            return {"freq": "yearly", "bymonth": change.local.month, "byday": f"{place}{day}"}
    return None


def _fits(other: Change, change: Change, place: int) -> bool:
    local = other.local
    length = monthrange(local.year, local.month)[1]
    placed = local.day + 7 > length if place == -1 else (local.day - 1) // 7 + 1 == place
    same_moment = (local.month, local.weekday(), local.time()) == (
        change.local.month, change.local.weekday(), change.local.time(),
    )  # fmt: skip
    return placed and same_moment and (other.before, other.after) == (change.before, change.after)


def _observance(change: Change, rule: dict[str, object] | None = None) -> TimezoneStandard | TimezoneDaylight:
    observance = TimezoneDaylight() if change.daylight else TimezoneStandard()
    observance.add("dtstart", change.local)
    observance.add("tzoffsetfrom", change.before)
    observance.add("tzoffsetto", change.after)
    observance.add("tzname", change.name)
    if rule:
        observance.add("rrule", vRecur(rule))
    return observance


def _offset(moment: datetime, zone: tzinfo) -> timedelta:
    return moment.astimezone(zone).utcoffset() or timedelta()
