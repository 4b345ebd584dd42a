"""Values of the mailbox model. All frozen; moments are aware and in UTC; nothing here knows XML or MIME."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any

from procession.errors import InputError


class Refused(InputError):
    """The mailbox refuses a request. `reason` is Exchange's word for it, without `Error`: `ItemNotFound`."""

    def __init__(self, message: str, *, reason: str = "InvalidRequest", hint: str = "") -> None:
        super().__init__(message, hint=hint)
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Address:
    """A name and an e-mail address, as in `Anna <anna@example.com>`."""

    email: str
    name: str = ""
    routing: str = "SMTP"
    kind: str = "Mailbox"

    @property
    def key(self) -> str:
        return self.email.lower()


@dataclass(frozen=True, slots=True)
class Attendee:
    """One invited. `response` is Unknown, NoResponseReceived, Organizer, Tentative, Accept or Decline."""

    address: Address
    response: str = "Unknown"
    replied: datetime | None = None


@dataclass(frozen=True, slots=True)
class Body:
    text: str
    html: bool = False


@dataclass(frozen=True, slots=True)
class Flag:
    """A follow-up flag: NotFlagged, Flagged or Complete."""

    status: str = "NotFlagged"
    start: datetime | None = None
    due: datetime | None = None
    complete: datetime | None = None


@dataclass(frozen=True, slots=True)
class Postal:
    street: str = ""
    city: str = ""
    state: str = ""
    country: str = ""
    postal_code: str = ""


@dataclass(frozen=True, slots=True)
class PropertyName:
    """The name of an extended property: a tag, or a set with a name or a number; and its MAPI type.

    `set_id` is a lower-case GUID; a distinguished set is written with its GUID.
    """

    type: str
    tag: int = 0
    set_id: str = ""
    name: str = ""
    number: int | None = None


@dataclass(frozen=True, slots=True)
class Pattern:
    """How a series repeats.

    `kind` is daily, weekly, absolute_monthly, relative_monthly, absolute_yearly, relative_yearly, or for tasks
    daily_regeneration, weekly_regeneration, monthly_regeneration, yearly_regeneration. `days` are English
    weekday names or Day, Weekday, WeekendDay; `week` is First to Last; `month` is 1 to 12.
    """

    kind: str
    interval: int = 1
    days: tuple[str, ...] = ()
    day: int = 1
    week: str = "First"
    month: int = 1
    first_day: str = "Sunday"


@dataclass(frozen=True, slots=True)
class Recurrence:
    """A pattern from a day on: without end, until a day (included), or a number of times."""

    pattern: Pattern
    start: date
    end: date | None = None
    count: int | None = None


@dataclass(frozen=True, slots=True)
class Attachment:
    """A file, or another item. `number` is unique in the mailbox. `item` is the attached `Item`."""

    number: int
    name: str
    content: bytes = b""
    content_type: str = "application/octet-stream"
    content_id: str = ""
    content_location: str = ""
    inline: bool = False
    modified: datetime | None = None
    photo: bool = False
    item: Any = None

    @property
    def size(self) -> int:
        return len(self.content) or 256


@dataclass(frozen=True, slots=True)
class Posted:
    """A line of the ledger: one mail that left for one address.

    `kind` is mail, request, update, cancellation or response.
    """

    at: datetime
    kind: str
    sender: str
    to: str
    subject: str
    message_id: str = ""
    uid: str = ""
    local: bool = True


@dataclass(frozen=True, slots=True)
class Event:
    """Something happened in a mailbox. `kind` is Created, Modified, Deleted, Moved, Copied, NewMail or FreeBusyChanged."""

    number: int
    at: datetime
    kind: str
    folder: int
    item: int | None = None
    old_folder: int | None = None
    old_item: int | None = None
    parent: int | None = None
    change: int = 0


@dataclass(frozen=True, slots=True)
class Override:
    """An occurrence that differs from its series: the values it has instead."""

    values: Mapping[str, Any] = field(default_factory=dict)
    change: int = 0
