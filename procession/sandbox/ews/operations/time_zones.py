"""GetServerTimeZones: the zones this server knows, with their rules if asked for."""

from datetime import timedelta

from procession.sandbox.ews.batch import Call, Operation, one
from procession.sandbox.ews.names import Xml, m, t
from procession.sandbox.ews.soap import add
from procession.sandbox.mailbox.recurrence import WEEKDAYS
from procession.sandbox.mailbox.words import Refused
from procession.sandbox.mailbox.zones import Rules, Shift, rules, windows

_STANDARD, _DAYLIGHT = "trule:Microsoft/Registry/{}-Standard", "trule:Microsoft/Registry/{}-Daylight"


def get_server_time_zones(call: Call) -> Xml:
    wanted = call.request.find(m("Ids"))
    full = call.request.get("ReturnFullTimeZoneData", "true") in {"true", "1"}

    def work(message: Xml) -> None:
        names = [(child.text or "").strip() for child in wanted] if wanted is not None else list(windows())
        target = add(message, m("TimeZoneDefinitions"))
        for name in names:
            if name not in windows():
                raise Refused(f"The time zone '{name}' is not known.", reason="TimeZone")
            element = add(target, t("TimeZoneDefinition"), None, Id=name, Name=f"({name})")
            if full:
                _write_rules(element, name, rules(name, call.world.moment().year))

    return one(call, "GetServerTimeZones", work, empty="TimeZoneDefinitions")


def duration(span: timedelta) -> str:
    """An xs:duration in minutes; a bias counts westwards."""
    minutes = int(span.total_seconds()) // 60
    return f"{'-' if minutes < 0 else ''}PT{abs(minutes)}M"


def _write_rules(element: Xml, name: str, found: Rules) -> None:
    periods = add(element, t("Periods"))
    add(
        periods, t("Period"), None, Bias=duration(-found.standard), Name="Standard", Id=_STANDARD.format(name)
    )
    for shift in found.shifts:
        if shift.offset != found.standard:
            add(
                periods,
                t("Period"),
                None,
                Bias=duration(-shift.offset),
                Name="Daylight",
                Id=_DAYLIGHT.format(name),
            )
    group = add(add(element, t("TransitionsGroups")), t("TransitionsGroup"), None, Id="0")
    for shift in found.shifts:
        _write_shift(group, name, shift, daylight=shift.offset != found.standard)
    if not found.shifts:
        add(add(group, t("Transition")), t("To"), _STANDARD.format(name), Kind="Period")
    add(add(add(element, t("Transitions")), t("Transition")), t("To"), "0", Kind="Group")


def _write_shift(group: Xml, name: str, shift: Shift, *, daylight: bool) -> None:
    target = add(group, t("RecurringDayTransition"))
    add(target, t("To"), (_DAYLIGHT if daylight else _STANDARD).format(name), Kind="Period")
    add(target, t("TimeOffset"), duration(shift.at))
    add(target, t("Month"), str(shift.month))
    add(target, t("DayOfWeek"), WEEKDAYS[shift.weekday])
    add(target, t("Occurrence"), str(-1 if shift.nth == 5 else shift.nth))  # noqa: PLR2004 - the fifth is the last


OPERATIONS = (Operation("GetServerTimeZones", get_server_time_zones, since=2010),)
