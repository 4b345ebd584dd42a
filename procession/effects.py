"""What a step may ask the world for, and the frozen `Receipt` that says what came of it.

A step decides (`procession.steps`), these effects say what it wants, `procession.perform` does them
through the ports, in order, in one transaction with the step's journal row and History.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

from procession.records import Ref


@dataclass(frozen=True, slots=True)
class CreateRecord:
    """Create a record; for an activity `connected_to` names what it is connected to."""

    entity: str
    values: Mapping[str, Any]
    connected_to: tuple[Ref, ...] = ()


@dataclass(frozen=True, slots=True)
class UpdateRecord:
    """Change these fields of a record; a value may be a `Ref` for a field that refers."""

    ref: Ref
    values: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class DeleteRecord:
    ref: Ref


@dataclass(frozen=True, slots=True)
class FindRecords:
    """Read a snapshot of records whose fields equal `where`; the output holds `records`, `first`, `count`, and
    `more`: whether there are others beyond `limit`."""

    entity: str
    where: Mapping[str, Any]
    order: str = ""
    limit: int = 100


@dataclass(frozen=True, slots=True)
class CallFunction:
    """Call a function the application registered; it may be called again after a crash."""

    function: str
    args: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class LogHistory:
    """A line of History in the author's own words."""

    on: Ref
    text: str


@dataclass(frozen=True, slots=True)
class Recipient:
    """Where a mail goes: the address, the name to show, and the contact or user behind it, if known."""

    address: str
    name: str = ""
    ref: Ref | None = None


@dataclass(frozen=True, slots=True)
class Attachment:
    name: str
    media_type: str
    content: bytes
    parameters: Mapping[str, str] = field(default_factory=dict)


OnUnknown = Literal["hold", "resend"]


@dataclass(frozen=True, slots=True)
class SendMail:
    """A finished mail. `message_id` (with angle brackets) is made once, and stays the one of this mail.

    `not_before` holds it back (undo, retry); `draft` leaves it for a person to send.
    `automatic` mails carry `Auto-Submitted: auto-generated` (RFC 3834).
    """

    message_id: str
    sender: Recipient
    to: tuple[Recipient, ...]
    subject: str
    text: str
    html: str = ""
    cc: tuple[Recipient, ...] = ()
    bcc: tuple[Recipient, ...] = ()
    in_reply_to: str = ""
    references: tuple[str, ...] = ()
    attachments: tuple[Attachment, ...] = ()
    connected_to: tuple[Ref, ...] = ()
    template: str = ""
    language: str = ""
    automatic: bool = True
    draft: bool = False
    not_before: datetime | None = None
    on_unknown: OnUnknown = "hold"


@dataclass(frozen=True, slots=True)
class Notify:
    """A short mail to colleagues: a user, or the name of a user or of a team. It is no part of any History."""

    to: Ref | str
    subject: str
    text: str
    message_id: str


@dataclass(frozen=True, slots=True)
class SendMessage:
    """A message or signal to whatever process waits for it, or starts by it. It is no mail."""

    type: Literal["message", "signal"]
    name: str
    about: Ref | None = None
    data: Mapping[str, Any] = field(default_factory=dict)


Effect = (
    CreateRecord
    | UpdateRecord
    | DeleteRecord
    | FindRecords
    | CallFunction
    | LogHistory
    | SendMail
    | Notify
    | SendMessage
)


@dataclass(frozen=True, slots=True)
class Receipt:
    """What came of one effect: the record it made or changed, and for a mail its Message-ID and state.

    `output` is what later steps read as `outputs.<step id>`.
    """

    ref: Ref | None = None
    message_id: str = ""
    output: Mapping[str, Any] = field(default_factory=dict)
