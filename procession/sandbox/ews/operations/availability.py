"""GetUserAvailability: who is free when, merged into digits and as events ([MS-OXWAVLS] 3.1.4.1)."""

from datetime import UTC, datetime, timedelta

from procession.sandbox.ews.batch import Call, Operation
from procession.sandbox.ews.codecs import find_text
from procession.sandbox.ews.names import Xml, m, t
from procession.sandbox.ews.soap import add, element
from procession.sandbox.mailbox import series
from procession.sandbox.mailbox.items import Item
from procession.sandbox.mailbox.recurrence import WEEKDAYS
from procession.sandbox.mailbox.store import Mailbox
from procession.sandbox.mailbox.words import Refused
from procession.sandbox.mailbox.zones import Rules, Shift, rules

DIGITS = {"Free": "0", "Tentative": "1", "Busy": "2", "OOF": "3", "WorkingElsewhere": "4", "NoData": "4"}
WINDOW = timedelta(days=62)


def get_user_availability(call: Call) -> Xml:
    response = element("GetUserAvailabilityResponse")
    rows = add(response, m("FreeBusyResponseArray"))
    options = call.request.find(t("FreeBusyViewOptions"))
    for entry in call.request.find(m("MailboxDataArray")):
        row = add(rows, m("FreeBusyResponse"))
        message = add(row, m("ResponseMessage"), None, ResponseClass="Success")
        try:
            call.faults.before_entry(0)
            _answer(call, row, find_text(entry.find(t("Email")), "Address").strip(), options)
            add(message, m("ResponseCode"), "NoError")
        except Refused as refusal:
            message.set("ResponseClass", "Error")
            add(message, m("MessageText"), refusal.message)
            add(message, m("ResponseCode"), f"Error{refusal.reason}")
            add(message, m("DescriptiveLinkKey"), "0")
            _none(row)
    return response


def _none(row: Xml) -> None:
    view = add(row, m("FreeBusyView"))
    add(view, t("FreeBusyViewType"), "None")


def _answer(call: Call, row: Xml, address: str, options: Xml | None) -> None:
    mailbox = call.world.mailbox(address)
    if mailbox is None:
        raise Refused(
            f"Unable to resolve e-mail address {address} to an Active Directory object.",
            reason="MailRecipientNotFound",
        )
    if options is None:
        raise Refused("Either free/busy or suggestions must be asked for.", reason="InvalidFreeBusyViewType")
    zone = call.request.find(t("TimeZone"))
    bias = timedelta(minutes=int(find_text(zone, "Bias") or 0)) if zone is not None else timedelta()
    start, end = (_wall(find_text(options.find(t("TimeWindow")), name)) for name in ("StartTime", "EndTime"))
    if end <= start:
        raise Refused("The time window ends before it starts.", reason="InvalidTimeInterval")
    if end - start > WINDOW:
        raise Refused("The time window is longer than 62 days.", reason="TimeIntervalTooBig")
    interval = int(find_text(options, "MergedFreeBusyIntervalInMinutes") or 30)
    if not 5 <= interval <= 1440:  # noqa: PLR2004 - [MS-OXWAVLS] 2.2.4
        raise Refused("The interval is from 5 to 1440 minutes.", reason="InvalidMergedFreeBusyInterval")
    events = busy(mailbox, (start + bias).replace(tzinfo=UTC), (end + bias).replace(tzinfo=UTC))
    style = find_text(options, "RequestedView") or "FreeBusyMerged"
    _write(call, row, mailbox, (start, end, bias, interval), (events, style))


def _wall(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=None)


def busy(mailbox: Mailbox, start: datetime, end: datetime) -> list[Item]:
    """Events and occurrences that take time in a span, by start."""
    found: list[Item] = []
    for item in mailbox.contents(mailbox.role("calendar")):
        if series.is_series(item):
            found += series.expand(item, start, end)
        elif item.kind == "event" and series.touches(item, start, end):
            found.append(item)
    return sorted(
        (item for item in found if not item.values.get("is_cancelled")), key=lambda item: item.values["start"]
    )


def _write(
    call: Call,
    row: Xml,
    mailbox: Mailbox,
    window: tuple[datetime, datetime, timedelta, int],
    what: tuple[list[Item], str],
) -> None:
    events, style = what
    start, end, bias, interval = window
    view = add(row, m("FreeBusyView"))
    add(view, t("FreeBusyViewType"), style)
    if "Merged" in style:
        add(view, t("MergedFreeBusy"), merged(events, (start + bias, end + bias), interval))
    if style != "MergedOnly":
        rows = add(view, t("CalendarEventArray"))
        for event in events:
            _write_event(rows, event, bias, details="Detailed" in style)
        _write_hours(view, mailbox, call.world.moment().year)


def merged(events: list[Item], window: tuple[datetime, datetime], interval: int) -> str:
    """A digit for each interval: the strongest claim on it."""
    start, end = window
    step = timedelta(minutes=interval)
    digits = []
    while start < end:
        here = (
            event
            for event in events
            if event.values["start"].replace(tzinfo=None) < start + step
            and event.values["end"].replace(tzinfo=None) > start
        )
        digits.append(max((DIGITS[event.values.get("free_busy", "Busy")] for event in here), default="0"))
        start += step
    return "".join(digits)


def _write_event(rows: Xml, event: Item, bias: timedelta, *, details: bool) -> None:
    target = add(rows, t("CalendarEvent"))
    for name, word in (("StartTime", "start"), ("EndTime", "end")):
        add(target, t(name), (event.values[word] - bias).strftime("%Y-%m-%dT%H:%M:%S"))
    add(target, t("BusyType"), event.values.get("free_busy", "Busy"))
    if not details:
        return
    private = event.values.get("sensitivity") in {"Private", "Confidential"}
    more = add(target, t("CalendarEventDetails"))
    if not private:
        add(more, t("Subject"), str(event.values.get("subject") or ""))
        add(more, t("Location"), str(event.values.get("location") or ""))
    flags = {
        "IsMeeting": any(event.values.get(word) for word in ("required", "optional", "resources")),
        "IsRecurring": series.is_occurrence(event),
        "IsException": event.values.get("calendar_item_type") == "Exception",
        "IsReminderSet": bool(event.values.get("reminder_is_set")),
        "IsPrivate": private,
    }
    for name, value in flags.items():
        add(more, t(name), "true" if value else "false")


def _write_hours(view: Xml, mailbox: Mailbox, year: int) -> None:
    hours = add(view, t("WorkingHours"))
    write_zone(add(hours, t("TimeZone")), rules(mailbox.timezone, year))
    period = add(add(hours, t("WorkingPeriodArray")), t("WorkingPeriod"))
    add(period, t("DayOfWeek"), " ".join(WEEKDAYS[:5]))
    add(period, t("StartTimeInMinutes"), str(8 * 60))
    add(period, t("EndTimeInMinutes"), str(17 * 60))


def write_zone(target: Xml, found: Rules) -> None:
    """A zone as its bias and its two changes, in the old form of Windows."""
    add(target, t("Bias"), str(-int(found.standard.total_seconds()) // 60))
    by_kind = {shift.offset == found.standard: shift for shift in found.shifts}
    for name, standard in (("StandardTime", True), ("DaylightTime", False)):
        shift = by_kind.get(standard)
        bias = int((found.standard - shift.offset).total_seconds()) // 60 if shift else 0
        _write_change(add(target, t(name)), shift, bias)


def _write_change(target: Xml, shift: Shift | None, bias: int) -> None:
    add(target, t("Bias"), str(bias))
    minutes = int(shift.at.total_seconds()) // 60 if shift else 0
    add(target, t("Time"), f"{minutes // 60:02}:{minutes % 60:02}:00")
    add(target, t("DayOrder"), str(shift.nth if shift else 0))
    add(target, t("Month"), str(shift.month if shift else 0))
    add(target, t("DayOfWeek"), WEEKDAYS[shift.weekday] if shift else "Sunday")


OPERATIONS = (Operation("GetUserAvailability", get_user_availability, element="GetUserAvailabilityRequest"),)
