"""Mails of a test system: every one goes to one address, and says whom it was for.

As others do it (interceptors of Rails and Nette, `alwaysTo` of Laravel): To is replaced, Cc is gone, and what they were
stands in X-Original-To, X-Original-Cc and X-Original-Bcc. Sender, subject and bodies stay, since they are what is tried
out; so the name beside the new address says whom a mail was for, in any list of mails. Whoever is invited by a calendar
file is replaced, too, so that no calendar program answers in their place. All else stays, byte for byte.
"""

import re
from base64 import b64decode
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from email import message_from_bytes
from email.message import Message
from email.utils import getaddresses

from icalendar import Calendar, vCalAddress, vText

from procession.effects import Recipient, SendMail
from procession.errors import PermanentError
from procession.mail.addresses import envelope_address
from procession.mail.mime import base64_lines, compose, people_header, recipients

ORIGINAL = "x-original-"
CALENDARS = ("text/calendar", "application/ics")
_HEADER = re.compile(rb"^([!-9;-~]+):[^\r\n]*\r\n(?:[ \t][^\r\n]*\r\n)*", re.MULTILINE)

Header = tuple[str, bytes]
"""A name in small letters, and the header as it stands, with its name and line ends."""


def composed(mail: SendMail, at: datetime, redirect_all_to: str) -> bytes:
    """As `compose`, and redirected to that address if there is one.

    Raises:
        PermanentError: see `compose`.
    """
    mime = compose(mail, at)
    return redirected(mime, recipients(mail), redirect_all_to) if redirect_all_to else mime


def redirected(mime: bytes, to: Sequence[str], address: str) -> bytes:
    """A mail of ours as it goes to this address instead of those it was for. One that was redirected there stays as it is.

    Args:
        to: the recipients of its envelope.

    Raises:
        PermanentError: it has a calendar file that cannot be read, or somebody in it has no address.
    """
    head, _, body = mime.partition(b"\r\n\r\n")
    headers = [(found[1].decode().lower(), found[0]) for found in _HEADER.finditer(head + b"\r\n")]
    address = envelope_address(address)
    before = [header for header in headers if header[0].startswith(ORIGINAL)]
    if before and _people(headers, "to", "cc", "bcc") == [address]:
        return mime
    was_for = before or list(_originals(headers, to))
    people = _people(was_for, ORIGINAL + "to", ORIGINAL + "cc", ORIGINAL + "bcc")
    kept = [
        line for name, line in headers if name not in ("to", "cc", "bcc") and not name.startswith(ORIGINAL)
    ]
    new = [people_header("To", [Recipient(address, _named(people))]), *(line for _, line in was_for)]
    return b"".join([*kept[:1], *new, *kept[1:], b"\r\n", _uninvited(mime, body, address, people)])


def _originals(headers: Sequence[Header], to: Sequence[str]) -> Iterator[Header]:
    for name, line in headers:
        if name in ("to", "cc"):
            yield f"{ORIGINAL}{name}", f"X-Original-{name.title()}".encode() + line[len(name) :]
    seen = {one.lower() for one in _people(headers, "to", "cc")}
    unseen = [one for one in map(envelope_address, to) if one.lower() not in seen]
    if unseen:
        yield f"{ORIGINAL}bcc", people_header("X-Original-Bcc", [Recipient(one) for one in unseen])


def _people(headers: Iterable[Header], *names: str) -> list[str]:
    """Addresses in these headers, each once."""
    values = [line.partition(b":")[2].decode("utf-8", "replace") for name, line in headers if name in names]
    found = (one for _, one in getaddresses([" ".join(value.split()) for value in values]) if "@" in one)
    return list(dict.fromkeys(found))


def _named(people: Sequence[str]) -> str:
    """In the way that nothing takes for an address."""
    named = people[0].replace("@", " at ") if people else ""
    return f"{named} and {len(people) - 1} more" if len(people) > 1 else named


# --- calendar files


def _uninvited(mime: bytes, body: bytes, address: str, people: Sequence[str]) -> bytes:
    """The body with this address in the place of all who are invited."""
    found = {
        _base64_of(part) for part in message_from_bytes(mime).walk() if part.get_content_type() in CALENDARS
    }
    for before in found:
        after = base64_lines(_calendar(b64decode(before), address, people)).strip()
        if before not in body:
            raise PermanentError("a calendar file in this mail cannot be read, so it cannot be redirected")
        body = body.replace(before, after)
    return body


def _base64_of(part: Message) -> bytes:
    if str(part["Content-Transfer-Encoding"]) != "base64":
        raise PermanentError("a calendar file in this mail cannot be read, so it cannot be redirected")
    return str(part.get_payload()).strip().encode("ascii", "replace")


def _calendar(content: bytes, address: str, people: Sequence[str]) -> bytes:
    try:
        calendar = Calendar.from_ical(content)
    except ValueError as error:
        raise PermanentError(f"a calendar file in this mail cannot be read: {error}") from error
    for event in calendar.walk("VEVENT"):
        invited = event.pop("attendee", None)
        for one in invited if isinstance(invited, list) else [invited] if invited else ():
            event.add("attendee", _attendee(one, address, people))
    return bytes(calendar.to_ical())


def _attendee(invited: vCalAddress, address: str, people: Sequence[str]) -> vCalAddress:
    """What it is asked stays; who it is does not."""
    one = vCalAddress(f"mailto:{address}")
    for key in ("ROLE", "PARTSTAT", "RSVP", "CUTYPE"):
        if key in invited.params:
            one.params[key] = invited.params[key]
    was = str(invited).partition(":")[2]
    one.params["CN"] = vText(_named([was] if "@" in was else people))
    return one
