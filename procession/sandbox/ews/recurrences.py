"""Recurrences as XML: patterns and ranges of [MS-OXWSCDATA] 2.2.4, and the occurrences listed with a series."""

from datetime import date
from typing import Any

from procession.sandbox.ews.codecs import Codec, find_text, moment_text, unreadable
from procession.sandbox.ews.names import Xml, local, t
from procession.sandbox.ews.soap import add
from procession.sandbox.mailbox.recurrence import WEEKDAYS
from procession.sandbox.mailbox.words import Pattern, Recurrence, Refused

MONTHS = ("January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November", "December")  # fmt: skip
KINDS: dict[str, str] = {
    "RelativeYearlyRecurrence": "relative_yearly",
    "AbsoluteYearlyRecurrence": "absolute_yearly",
    "RelativeMonthlyRecurrence": "relative_monthly",
    "AbsoluteMonthlyRecurrence": "absolute_monthly",
    "WeeklyRecurrence": "weekly",
    "DailyRecurrence": "daily",
    "DailyRegeneration": "daily_regeneration",
    "WeeklyRegeneration": "weekly_regeneration",
    "MonthlyRegeneration": "monthly_regeneration",
    "YearlyRegeneration": "yearly_regeneration",
}
NAMES = {kind: name for name, kind in KINDS.items()}


def _write(parent: Xml, tag: str, value: Recurrence) -> None:
    target = add(parent, tag)
    _write_pattern(add(target, t(NAMES[value.pattern.kind])), value.pattern)
    if value.count is not None:
        span = add(target, t("NumberedRecurrence"))
        add(span, t("StartDate"), value.start.isoformat())
        add(span, t("NumberOfOccurrences"), str(value.count))
    elif value.end is not None:
        span = add(target, t("EndDateRecurrence"))
        add(span, t("StartDate"), value.start.isoformat())
        add(span, t("EndDate"), value.end.isoformat())
    else:
        add(add(target, t("NoEndRecurrence")), t("StartDate"), value.start.isoformat())


def _write_pattern(target: Xml, pattern: Pattern) -> None:
    kind = pattern.kind
    if not kind.endswith("yearly"):
        add(target, t("Interval"), str(pattern.interval))
    if kind.startswith("absolute"):
        add(target, t("DayOfMonth"), str(pattern.day))
    elif kind.startswith("relative"):
        add(target, t("DaysOfWeek"), " ".join(pattern.days))
        add(target, t("DayOfWeekIndex"), pattern.week)
    elif kind == "weekly":
        add(target, t("DaysOfWeek"), " ".join(pattern.days))
        add(target, t("FirstDayOfWeek"), pattern.first_day)
    if kind.endswith("yearly"):
        add(target, t("Month"), MONTHS[pattern.month - 1])


def _read(element: Xml) -> Recurrence:
    pattern, span = _read_pattern(element[0]), element[1]
    start = date.fromisoformat(find_text(span, "StartDate")[:10])
    match local(span):
        case "NumberedRecurrence":
            return Recurrence(pattern, start, count=int(find_text(span, "NumberOfOccurrences")))
        case "EndDateRecurrence":
            return Recurrence(pattern, start, end=date.fromisoformat(find_text(span, "EndDate")[:10]))
        case _:
            return Recurrence(pattern, start)


def _read_pattern(element: Xml) -> Pattern:
    month = find_text(element, "Month")
    pattern = Pattern(
        KINDS[local(element)],
        interval=int(find_text(element, "Interval") or 1),
        days=tuple(find_text(element, "DaysOfWeek").split()),
        day=int(find_text(element, "DayOfMonth") or 1),
        week=find_text(element, "DayOfWeekIndex") or "First",
        month=MONTHS.index(month) + 1 if month else 1,
        first_day=find_text(element, "FirstDayOfWeek") or "Sunday",
    )
    if not 1 <= pattern.interval <= 999:  # noqa: PLR2004 - [MS-OXWSCDATA] 2.2.4
        raise Refused("The interval of a recurrence is 1 to 999.", reason="CalendarInvalidRecurrence")
    if pattern.kind == "weekly" and not set(pattern.days) <= set(WEEKDAYS):
        raise Refused(
            "A week has seven days, each with a name.", reason="CalendarInvalidDayForWeeklyRecurrence"
        )
    if not 1 <= pattern.day <= 31:  # noqa: PLR2004 - [MS-OXWSCDATA] 2.2.4
        raise Refused("The day of a month is 1 to 31.", reason="CalendarInvalidRecurrence")
    return pattern


def _write_occurrence(parent: Xml, tag: str, value: dict[str, Any]) -> None:
    """`value` is {id, change_key, start, end, original}."""
    target = add(parent, tag)
    add(target, t("ItemId"), Id=value["id"], ChangeKey=value["change_key"])
    for name, key in (("Start", "start"), ("End", "end"), ("OriginalStart", "original")):
        add(target, t(name), moment_text(value[key]))


def _write_occurrences(parent: Xml, tag: str, values: list[dict[str, Any]]) -> None:
    target = add(parent, tag)
    for value in values:
        _write_occurrence(target, t("Occurrence"), value)


def _write_deleted(parent: Xml, tag: str, values: Any) -> None:
    target = add(parent, tag)
    for value in values:
        add(add(target, t("DeletedOccurrence")), t("Start"), moment_text(value))


RECURRENCE = Codec(_write, _read)
OCCURRENCE = Codec(_write_occurrence, unreadable)
OCCURRENCES = Codec(_write_occurrences, unreadable)
DELETED = Codec(_write_deleted, unreadable)
