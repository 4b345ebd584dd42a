"""How values are written as XML and read from it, one codec per shape of value.

A codec writes a value as a child element of the given qualified name, and reads it from such an element.
Requests have been held against the schema before, so reading does not check what the schema promises.
"""

import base64
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from procession.sandbox.ews.names import Xml, local, t
from procession.sandbox.ews.soap import add
from procession.sandbox.mailbox.words import Address, Attendee, Body, Flag, Postal, Refused
from procession.sandbox.mailbox.zones import zone

EARLIEST, LATEST = 1601, 4500
"""The years that MAPI's times and Outlook's calendar can hold."""
Write = Callable[[Xml, str, Any], Any]
Read = Callable[[Xml], Any]


@dataclass(frozen=True, slots=True)
class Codec:
    write: Write
    read: Read


def moment_text(value: datetime) -> str:
    return value.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def read_moment(text: str, zone_name: str = "") -> datetime:
    """An xs:dateTime in UTC; one without an offset is of the given zone.

    Raises:
        Refused: not a moment that Exchange can keep.
    """
    try:
        value = datetime.fromisoformat(text.strip())
        if value.tzinfo is None:
            value = value.replace(tzinfo=zone(zone_name))
        moment = value.astimezone(UTC)
    except (ValueError, OverflowError):
        raise Refused(f"'{text}' is not a date and time.", reason="InvalidValueForProperty") from None
    if not EARLIEST <= moment.year <= LATEST:
        raise Refused(
            f"'{text}' is not between the years {EARLIEST} and {LATEST}.", reason="InvalidValueForProperty"
        )
    return moment


def text_of(element: Xml) -> str:
    return element.text or ""


def find_text(element: Xml, name: str) -> str:
    found = element.find(t(name))
    return (found.text or "") if found is not None else ""


def write_text(parent: Xml, tag: str, value: Any) -> None:
    add(parent, tag, str(value))


def _write_bool(parent: Xml, tag: str, value: Any) -> None:
    add(parent, tag, "true" if value else "false")


def read_bool(element: Xml) -> bool:
    return text_of(element).strip() in {"true", "1"}


def _write_float(parent: Xml, tag: str, value: Any) -> None:
    add(parent, tag, f"{float(value):g}")


def _write_moment(parent: Xml, tag: str, value: datetime) -> None:
    add(parent, tag, moment_text(value))


def _write_bytes(parent: Xml, tag: str, value: bytes) -> None:
    add(parent, tag, base64.b64encode(value).decode())


def read_bytes(element: Xml) -> bytes:
    return base64.b64decode(text_of(element))


def _write_strings(parent: Xml, tag: str, values: tuple[str, ...]) -> None:
    target = add(parent, tag)
    for value in values:
        add(target, t("String"), value)


def _read_strings(element: Xml) -> tuple[str, ...]:
    return tuple(text_of(child) for child in element)


def write_address(parent: Xml, address: Address, tag: str = "Mailbox") -> Xml:
    target = add(parent, t(tag))
    add(target, t("Name"), address.name or address.email)
    if address.email:
        add(target, t("EmailAddress"), address.email)
        add(target, t("RoutingType"), address.routing)
    add(target, t("MailboxType"), address.kind)
    return target


def read_address(element: Xml) -> Address:
    return Address(
        find_text(element, "EmailAddress").strip(),
        find_text(element, "Name"),
        find_text(element, "RoutingType") or "SMTP",
        find_text(element, "MailboxType") or "Mailbox",
    )


def _write_single(parent: Xml, tag: str, value: Address) -> None:
    write_address(add(parent, tag), value)


def _read_single(element: Xml) -> Address:
    return read_address(element[0])


def _write_addresses(parent: Xml, tag: str, values: tuple[Address, ...]) -> None:
    target = add(parent, tag)
    for value in values:
        write_address(target, value)


def _read_addresses(element: Xml) -> tuple[Address, ...]:
    return tuple(read_address(child) for child in element)


def _write_attendees(parent: Xml, tag: str, values: tuple[Attendee, ...]) -> None:
    target = add(parent, tag)
    for value in values:
        entry = add(target, t("Attendee"))
        write_address(entry, value.address)
        add(entry, t("ResponseType"), value.response)
        if value.replied:
            add(entry, t("LastResponseTime"), moment_text(value.replied))


def _read_attendees(element: Xml) -> tuple[Attendee, ...]:
    return tuple(
        Attendee(read_address(entry.find(t("Mailbox"))), find_text(entry, "ResponseType") or "Unknown")
        for entry in element
    )


def write_body(parent: Xml, tag: str, value: Body) -> None:
    add(parent, tag, value.text, BodyType="HTML" if value.html else "Text")


def _read_body(element: Xml) -> Body:
    return Body(text_of(element), element.get("BodyType") == "HTML")


def _write_flag(parent: Xml, tag: str, value: Flag) -> None:
    target = add(parent, tag)
    add(target, t("FlagStatus"), value.status)
    for name, moment in (
        ("StartDate", value.start),
        ("DueDate", value.due),
        ("CompleteDate", value.complete),
    ):
        if moment:
            add(target, t(name), moment_text(moment))


def _read_flag(element: Xml) -> Flag:
    moments = [
        read_moment(text) if (text := find_text(element, name)) else None
        for name in ("StartDate", "DueDate", "CompleteDate")
    ]
    return Flag(find_text(element, "FlagStatus"), *moments)


def _write_entries(parent: Xml, tag: str, values: dict[str, str]) -> None:
    target = add(parent, tag)
    for key, value in values.items():
        add(target, t("Entry"), value, Key=key)


def _read_entries(element: Xml) -> dict[str, Any]:
    return {entry.get("Key"): text_of(entry) for entry in element}


def _write_emails(parent: Xml, tag: str, values: dict[str, Address]) -> None:
    target = add(parent, tag)
    for key, value in values.items():
        add(target, t("Entry"), value.email, Key=key, Name=value.name or value.email, RoutingType=value.routing, MailboxType="Contact")  # fmt: skip


def read_email_entry(entry: Xml) -> Address:
    return Address(text_of(entry), entry.get("Name", ""), entry.get("RoutingType", "SMTP"), "Contact")


def _read_emails(element: Xml) -> dict[str, Address]:
    return {entry.get("Key"): read_email_entry(entry) for entry in element}


POSTAL_PARTS = (
    ("Street", "street"), ("City", "city"), ("State", "state"), ("CountryOrRegion", "country"), ("PostalCode", "postal_code"),
)  # fmt: skip


def _write_postals(parent: Xml, tag: str, values: dict[str, Postal]) -> None:
    target = add(parent, tag)
    for key, value in values.items():
        entry = add(target, t("Entry"), Key=key)
        for name, word in POSTAL_PARTS:
            if text := getattr(value, word):
                add(entry, t(name), text)


def read_postal_entry(entry: Xml) -> Postal:
    return Postal(**{word: find_text(entry, name) for name, word in POSTAL_PARTS})


def _read_postals(element: Xml) -> dict[str, Postal]:
    return {entry.get("Key"): read_postal_entry(entry) for entry in element}


def _write_complete_name(parent: Xml, tag: str, value: dict[str, str]) -> None:
    target = add(parent, tag)
    for name, text in value.items():
        add(target, t(name), text)


def _write_headers(parent: Xml, tag: str, values: tuple[tuple[str, str], ...]) -> None:
    target = add(parent, tag)
    for name, text in values:
        add(target, t("InternetMessageHeader"), text, HeaderName=name)


def _write_members(parent: Xml, tag: str, values: tuple[Address, ...]) -> None:
    target = add(parent, tag)
    for value in values:
        entry = add(target, t("Member"), Key=value.key)
        write_address(entry, value)
        add(entry, t("Status"), "Normal")


def _read_members(element: Xml) -> tuple[Address, ...]:
    found = (entry.find(t("Mailbox")) for entry in element)
    return tuple(read_address(mailbox) for mailbox in found if mailbox is not None)


def _write_zone(parent: Xml, tag: str, value: str) -> None:
    add(parent, tag, Id=value, Name=value)


def _read_zone(element: Xml) -> str:
    name = element.get("Id", "") or element.get("Name", "")
    zone(name)
    return str(name)


def _write_rights(parent: Xml, tag: str, value: bool) -> None:  # noqa: FBT001 - a codec's value
    target = add(parent, tag)
    for name in (
        "CreateAssociated",
        "CreateContents",
        "CreateHierarchy",
        "Delete",
        "Modify",
        "Read",
        "ViewPrivateItems",
    ):
        contents = name.startswith("Create") and not value
        add(target, t(name), "false" if contents else "true")


def unreadable(element: Xml) -> Any:
    raise Refused(f"{local(element)} cannot be set.", reason="InvalidPropertySet")


TEXT = Codec(write_text, text_of)
BOOL = Codec(_write_bool, read_bool)
INT = Codec(write_text, lambda element: int(text_of(element)))
FLOAT = Codec(_write_float, lambda element: float(text_of(element)))
MOMENT = Codec(_write_moment, lambda element: read_moment(text_of(element)))
BYTES = Codec(_write_bytes, read_bytes)
STRINGS = Codec(_write_strings, _read_strings)
SINGLE = Codec(_write_single, _read_single)
ADDRESSES = Codec(_write_addresses, _read_addresses)
ATTENDEES = Codec(_write_attendees, _read_attendees)
BODY = Codec(write_body, _read_body)
FLAG = Codec(_write_flag, _read_flag)
ENTRIES = Codec(_write_entries, _read_entries)
EMAILS = Codec(_write_emails, _read_emails)
POSTALS = Codec(_write_postals, _read_postals)
COMPLETE_NAME = Codec(_write_complete_name, unreadable)
HEADERS = Codec(_write_headers, unreadable)
MEMBERS = Codec(_write_members, _read_members)
ZONE = Codec(_write_zone, _read_zone)
RIGHTS = Codec(_write_rights, unreadable)
