"""The days of a recurrence, as Exchange counts them ([MS-OXWSCDATA] RecurrencePatternTypes).

A day of the month that a month does not have is its last day (as Outlook does, unlike RFC 5545).
"""

from calendar import monthrange
from collections.abc import Iterator
from datetime import MAXYEAR, date, timedelta
from itertools import count

from procession.sandbox.mailbox.words import Pattern, Recurrence, Refused

WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
WEEKS = {"First": 0, "Second": 1, "Third": 2, "Fourth": 3, "Last": -1}
GROUPS = {"Day": range(7), "Weekday": range(5), "WeekendDay": range(5, 7)}
LIMIT = 10_000
"""No series is walked further than this many days of its pattern."""


def days(recurrence: Recurrence) -> Iterator[date]:
    """The days of a series, in order: all of them, or the first 10,000 of an endless one.

    Raises:
        Refused: the series has no day at all.
    """
    produced = 0
    limit = min(recurrence.count or LIMIT, LIMIT)
    for day in _pattern_days(recurrence.pattern, recurrence.start):
        if day < recurrence.start:
            continue
        if produced >= limit or (recurrence.end is not None and day > recurrence.end):
            return
        yield day
        produced += 1


def check(recurrence: Recurrence) -> None:
    """Raises Refused for a pattern that cannot be."""
    if next(days(recurrence), None) is None:
        raise Refused("The recurrence has no occurrence.", reason="RecurrenceHasNoOccurrence")
    if recurrence.pattern.interval < 1:
        raise Refused("The interval of a recurrence is 1 or more.", reason="CalendarInvalidRecurrence")


def _pattern_days(pattern: Pattern, start: date) -> Iterator[date]:
    match pattern.kind:
        case "daily" | "daily_regeneration":
            return (start + timedelta(days=step * pattern.interval) for step in range(LIMIT))
        case "weekly" | "weekly_regeneration":
            return _weekly(pattern, start)
        case "absolute_yearly" | "yearly_regeneration":
            month = pattern.month if pattern.kind == "absolute_yearly" else start.month
            day = pattern.day if pattern.kind == "absolute_yearly" else start.day
            return (_day(year, month, day) for year in _years(pattern, start))
        case "relative_yearly":
            return (_relative(pattern, year, pattern.month) for year in _years(pattern, start))
        case "relative_monthly":
            return (_relative(pattern, year, month) for year, month in _months(pattern, start))
        case _:
            day = start.day if pattern.kind == "monthly_regeneration" else pattern.day
            return (_day(year, month, day) for year, month in _months(pattern, start))


def _weekly(pattern: Pattern, start: date) -> Iterator[date]:
    first = WEEKDAYS.index(pattern.first_day) if pattern.first_day in WEEKDAYS else 6
    wanted = {number for name in pattern.days for number in weekday_numbers(name)} or {start.weekday()}
    begin = start - timedelta(days=(start.weekday() - first) % 7)
    for week in range(0, LIMIT * 7, 7 * pattern.interval):
        for step in range(7):
            day = begin + timedelta(days=week + step)
            if day.weekday() in wanted:
                yield day


def weekday_numbers(name: str) -> range | tuple[int, ...]:
    """0 is Monday; `Weekday` and the like are several."""
    return GROUPS[name] if name in GROUPS else (WEEKDAYS.index(name),)


def _months(pattern: Pattern, start: date) -> Iterator[tuple[int, int]]:
    for step in count(0, max(pattern.interval, 1)):
        year, month = divmod(start.year * 12 + start.month - 1 + step, 12)
        if year >= MAXYEAR:
            return
        yield year, month + 1


def _years(pattern: Pattern, start: date) -> Iterator[int]:
    return iter(range(start.year, MAXYEAR, max(pattern.interval, 1)))


def _day(year: int, month: int, day: int) -> date:
    return date(year, month, min(day, monthrange(year, month)[1]))


def _relative(pattern: Pattern, year: int, month: int) -> date:
    wanted = {number for name in pattern.days for number in weekday_numbers(name)}
    length = monthrange(year, month)[1]
    fitting = [
        day for number in range(1, length + 1) if (day := date(year, month, number)).weekday() in wanted
    ]
    return fitting[WEEKS.get(pattern.week, 0)]
