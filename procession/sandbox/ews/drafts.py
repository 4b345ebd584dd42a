"""An item read from a request: its kind, its values, its extended properties and attachments.

What a kind requires and derives (an event's end after its start, a contact's display name, a task's status)
is settled here and in `settle`, once for new items and for changed ones.
"""

import base64
import binascii
from collections.abc import Mapping
from dataclasses import replace
from datetime import date, datetime, timedelta
from typing import Any

from procession.sandbox.ews.attachments import read_attachments
from procession.sandbox.ews.codecs import read_moment, text_of
from procession.sandbox.ews.fields import KINDS, Field, by_tag
from procession.sandbox.ews.names import Xml, local, t
from procession.sandbox.ews.paths import default_value, property_name
from procession.sandbox.mailbox import mime, posting, recurrence, tasks
from procession.sandbox.mailbox.items import ITEM_CLASS, Draft
from procession.sandbox.mailbox.words import Address, Flag, PropertyName, Recurrence, Refused
from procession.sandbox.mailbox.zones import midnight, zone

_IGNORED = frozenset({"MeetingTimeZone"})
_TYPED = tuple(
    name for kind, name in ITEM_CLASS.items() if kind in {"post", "event", "contact", "list", "task"}
)
_TIMES = frozenset({"start", "end"})
_SAID_IN_MIME = frozenset(
    {
        "subject",
        "body",
        "to",
        "cc",
        "bcc",
        "from",
        "sender",
        "reply_to",
        "message_id",
        "references",
        "in_reply_to",
    }
)


def read_item(element: Xml, zone_name: str = "") -> Draft:
    """An item of a request. Times without an offset are of the given zone.

    Raises:
        Refused: a property that cannot be set, or MIME content that is none.
    """
    kind = KINDS[local(element)]
    kind = "message" if kind == "item" else kind
    parts: dict[str, Any] = {"values": {}, "extended": {}, "attachments": (), "item_class": "", "mime": b""}
    start_zone = element.find(t("StartTimeZone"))
    place = start_zone.get("Id", "") if start_zone is not None else zone_name
    for child in element:
        _read_child(kind, child, parts, place)
    values = parts.pop("values")
    check_class(kind, parts["item_class"])
    draft = Draft(kind, values, **parts)
    return _with_mime(draft) if draft.mime else draft


def check_class(kind: str, item_class: str) -> None:
    """Raises Refused for an item class that belongs to another kind of item."""
    usual = ITEM_CLASS[kind]
    other = item_class.startswith(_TYPED) and not item_class.startswith(usual)
    if item_class and (other or (kind not in {"message", "item"} and not item_class.startswith(usual))):
        raise Refused("The item class does not fit the item.", reason="ObjectTypeChanged")


def _read_child(kind: str, child: Xml, parts: dict[str, Any], place: str) -> None:
    match local(child):
        case "ExtendedProperty":
            name, value = read_property(child)
            parts["extended"][name] = value
        case "Attachments":
            parts["attachments"] = tuple(read_attachments(child, place))
        case "ItemClass":
            parts["item_class"] = text_of(child)
        case "MimeContent":
            parts["mime"] = read_mime(child)
        case tag if tag in _IGNORED:
            return
        case tag:
            field = by_tag(kind).get(tag)
            if field is None or not field.write:
                raise Refused(f"{tag} cannot be set.", reason="InvalidPropertySet")
            parts["values"][field.word] = read_value(field, child, place)


def read_value(field: Field, element: Xml, place: str) -> Any:
    if field.word in _TIMES:
        return read_moment(text_of(element), place)
    return field.codec.read(element)


def read_property(element: Xml) -> tuple[PropertyName, Any]:
    """An `ExtendedProperty`: its name, and its value as text or a tuple of texts."""
    name = property_name(element[0])
    if local(element[1]) == "Values":
        return name, tuple(default_value(name, text_of(value)) for value in element[1])
    return name, default_value(name, text_of(element[1]))


def read_mime(element: Xml) -> bytes:
    try:
        data = base64.b64decode(text_of(element))
    except binascii.Error:
        raise Refused("The MIME content is not base64.", reason="MimeContentInvalidBase64String") from None
    if not data.strip():
        raise Refused("The MIME content is empty.", reason="MimeContentInvalid")
    return data


def _with_mime(draft: Draft) -> Draft:
    """MIME content gives the values; what the request says beside it wins."""
    if draft.kind != "message":
        return replace(draft, mime=b"")
    parsed = mime.read(draft.mime)
    return replace(
        draft,
        values={**parsed.values, **draft.values},
        attachments=parsed.attachments + draft.attachments,
        mime=draft.mime if not _SAID_IN_MIME & draft.values.keys() and not draft.attachments else b"",
    )


def settle(
    kind: str, values: Mapping[str, Any], changed: frozenset[str], now: datetime, zone_name: str = ""
) -> dict[str, Any]:
    """Values with everything that follows from them, after the words of `changed` were written.

    Raises:
        Refused: values that cannot be together.
    """
    after = {word: value for word, value in values.items() if value is not None}
    if "body" in changed and "body" in after:
        after["body"] = posting.kept_body(after["body"])
    if "flag" in changed and "flag" in after:
        check_flag(after["flag"])
    match kind:
        case "event":
            return _event(after, changed, now, zone_name)
        case "contact" | "list":
            return _contact(after)
        case "task":
            return _task(after, changed, now)
        case _:
            return {"importance": "Normal", "sensitivity": "Normal", **after}


def check_flag(flag: Flag) -> None:
    """Raises Refused for dates that do not go with the status ([MS-OXWSCORE] 2.2.4.12)."""
    wrong = {
        "Flagged": flag.complete is not None or (flag.start is None) != (flag.due is None),
        "NotFlagged": any((flag.start, flag.due, flag.complete)),
        "Complete": flag.start is not None or flag.due is not None,
    }
    if wrong.get(flag.status):
        raise Refused("The dates of a flag do not go with its status.", reason="InvalidArgument")


def _event(values: dict[str, Any], changed: frozenset[str], now: datetime, zone_name: str) -> dict[str, Any]:
    after = {
        "importance": "Normal",
        "sensitivity": "Normal",
        "reminder_is_set": False,
        "reminder_minutes": 15,
        **values,
    }
    after.setdefault("start", now.replace(minute=0, second=0) + timedelta(hours=1))
    after.setdefault("start_zone", zone_name or "UTC")
    after.setdefault("end_zone", after["start_zone"])
    zone(after["start_zone"])
    after["start"] = _minute(after["start"])
    after["end"] = _minute(after.get("end") or after["start"] + timedelta(minutes=30))
    if after["end"] < after["start"]:
        raise Refused("EndDate is earlier than StartDate", reason="CalendarEndDateIsEarlierThanStartDate")
    if after["end"] - after["start"] > timedelta(days=5 * 365):
        raise Refused("The event is too long.", reason="CalendarDurationIsTooLong")
    if after.get("all_day"):
        after["start"], after["end"] = _whole_days(after["start"], after["end"], after["start_zone"])
    after["reminder_due_by"] = after["start"]
    if isinstance(after.get("recurrence"), Recurrence) and {"recurrence", "start"} & changed:
        after |= _aligned(after)
    return after


def _minute(moment: datetime) -> datetime:
    """Exchange keeps events to the minute."""
    return moment.replace(second=0, microsecond=0)


def _whole_days(start: datetime, end: datetime, place: str) -> tuple[datetime, datetime]:
    first, last = start.astimezone(zone(place)), end.astimezone(zone(place))
    stop: date = last.date() if last.time() == datetime.min.time() else last.date() + timedelta(days=1)
    return midnight(first.date(), place), midnight(max(stop, first.date() + timedelta(days=1)), place)


def _aligned(values: dict[str, Any]) -> dict[str, Any]:
    """A series starts on the first day of its pattern."""
    rule: Recurrence = values["recurrence"]
    recurrence.check(rule)
    place = zone(values["start_zone"])
    begin = values["start"].astimezone(place)
    rule = replace(rule, start=max(rule.start, begin.date())) if rule.start < begin.date() else rule
    first = next(recurrence.days(rule), rule.start)
    start = datetime.combine(first, begin.time(), tzinfo=place).astimezone(values["start"].tzinfo)
    return {"recurrence": rule, "start": start, "end": start + (values["end"] - values["start"])}


def _contact(values: dict[str, Any]) -> dict[str, Any]:
    emails = {
        key: Address(
            address.email, address.name or _named(values) or address.email, address.routing, "Contact"
        )
        for key, address in values.get("emails", {}).items()
    }
    after = {"sensitivity": "Normal", "importance": "Normal", "contact_source": "Store", **values}
    after |= {"emails": emails} if emails else {}
    name = _named(values)
    if name and not values.get("display_name"):
        after["display_name"] = name
    mapping = _MAPPINGS.get(
        values.get("file_as_mapping", "None" if values.get("file_as") else "LastCommaFirst")
    )
    if mapping is not None and (made := mapping(after)):
        after["file_as"] = made
    if after.get("display_name") and not after.get("subject"):
        after["subject"] = after["display_name"]
    return after


def _named(values: Mapping[str, Any]) -> str:
    return " ".join(
        str(values[word]) for word in ("given_name", "middle_name", "surname") if values.get(word)
    )


def _join(separator: str, *words: str) -> Any:
    return lambda values: separator.join(str(values[word]) for word in words if values.get(word))


_MAPPINGS: Mapping[str, Any] = {
    "LastCommaFirst": _join(", ", "surname", "given_name"),
    "FirstSpaceLast": _join(" ", "given_name", "surname"),
    "Company": _join("", "company_name"),
    "LastCommaFirstCompany": lambda values: (
        f"{_join(', ', 'surname', 'given_name')(values)} ({values.get('company_name', '')})"
    ),
    "LastFirst": _join("", "surname", "given_name"),
    "LastSpaceFirst": _join(" ", "surname", "given_name"),
    "DisplayName": _join("", "display_name"),
    "FirstName": _join("", "given_name"),
    "LastName": _join("", "surname"),
}


def _task(values: dict[str, Any], changed: frozenset[str], now: datetime) -> dict[str, Any]:
    if isinstance(values.get("recurrence"), Recurrence):
        recurrence.check(values["recurrence"])
    after = {
        "importance": "Normal",
        "sensitivity": "Normal",
        "delegation_state": "NoMatch",
        "change_count": 0,
        **values,
    }
    after["change_count"] = after["change_count"] + 1
    return tasks.consistent(after, changed, now)
