"""Events as iCalendar (RFC 5545) and contacts as vCard (RFC 6350), as far as a mail needs to carry them."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

METHODS: Mapping[str, str] = {
    "event": "PUBLISH",
    "meeting_request": "REQUEST",
    "meeting_response": "REPLY",
    "meeting_cancellation": "CANCEL",
}
_ANSWERS = {"Accept": "ACCEPTED", "Tentative": "TENTATIVE", "Decline": "DECLINED"}
_DAYS = {"Day": "MO,TU,WE,TH,FR,SA,SU", "Weekday": "MO,TU,WE,TH,FR", "WeekendDay": "SA,SU"}
_WEEKS = {"First": "1", "Second": "2", "Third": "3", "Fourth": "4", "Last": "-1"}


def event(kind: str, values: Mapping[str, Any], at: datetime) -> str:
    lines = [
        "BEGIN:VCALENDAR", "VERSION:2.0", "PRODID:-//Procession//Sandbox//EN", f"METHOD:{METHODS[kind]}", "BEGIN:VEVENT",
        f"UID:{values.get('uid', '')}", f"DTSTAMP:{_moment(at)}", f"SEQUENCE:{values.get('sequence', 0)}",
        f"SUMMARY:{_text(values.get('subject') or '')}",
    ]  # fmt: skip
    lines += [f"{name}:{_moment(values[word])}" for name, word in (("DTSTART", "start"), ("DTEND", "end"), ("RECURRENCE-ID", "occurrence_of")) if word in values]  # fmt: skip
    if "recurrence" in values:
        lines.append(f"RRULE:{_rule(values['recurrence'])}")
    if values.get("location"):
        lines.append(f"LOCATION:{_text(values['location'])}")
    if values.get("organizer"):
        lines.append(f"ORGANIZER:mailto:{values['organizer'].email}")
    if kind == "meeting_response" and values.get("from"):
        lines.append(
            f"ATTENDEE;PARTSTAT={_ANSWERS.get(values.get('response', ''), 'NEEDS-ACTION')}:mailto:{values['from'].email}"
        )
    else:
        lines += [
            f"ATTENDEE:mailto:{who.address.email}"
            for word in ("required", "optional")
            for who in values.get(word, ())
        ]
    return "\r\n".join([*lines, "END:VEVENT", "END:VCALENDAR", ""])


def card(values: Mapping[str, Any]) -> str:
    lines = ["BEGIN:VCARD", "VERSION:4.0", f"FN:{_text(values.get('display_name') or '')}"]
    lines.append(f"N:{_text(values.get('surname') or '')};{_text(values.get('given_name') or '')};;;")
    lines += [f"EMAIL:{address.email}" for address in (values.get("emails") or {}).values()]
    lines += [f"TEL:{number}" for number in (values.get("phones") or {}).values()]
    return "\r\n".join([*lines, "END:VCARD", ""])


def _rule(recurrence: Any) -> str:
    pattern = recurrence.pattern
    kind = pattern.kind.rpartition("_")[2].upper()
    parts = [f"FREQ={kind if kind != 'REGENERATION' else 'DAILY'}", f"INTERVAL={pattern.interval}"]
    names = ",".join(_DAYS.get(day, day[:2].upper()) for day in pattern.days)
    if pattern.kind == "weekly":
        parts.append(f"BYDAY={names}")
    elif pattern.kind.startswith("relative"):
        parts += [f"BYDAY={names}", f"BYSETPOS={_WEEKS.get(pattern.week, '1')}"]
    elif pattern.kind.startswith("absolute"):
        parts.append(f"BYMONTHDAY={pattern.day}")
    if pattern.kind.endswith("yearly"):
        parts.append(f"BYMONTH={pattern.month}")
    if recurrence.count:
        parts.append(f"COUNT={recurrence.count}")
    if recurrence.end:
        parts.append(f"UNTIL={recurrence.end:%Y%m%d}T235959Z")
    return ";".join(parts)


def _moment(value: datetime) -> str:
    return value.astimezone(UTC).strftime("%Y%m%dT%H%M%SZ")


def _text(text: str) -> str:
    return (
        text.replace("\\", "\\\\")
        .replace(";", "\\;")
        .replace(",", "\\,")
        .replace("\r", "")
        .replace("\n", "\\n")
    )
