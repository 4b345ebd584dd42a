"""Items and folders: what a mailbox holds.

An item's `values` map the model's words to plain values; the words a kind knows are listed in
`procession.sandbox.ews.fields`. An item is never changed in place: the mailbox replaces it.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from procession.sandbox.mailbox.words import Attachment, Override, PropertyName

ITEM_CLASS: Mapping[str, str] = {
    "message": "IPM.Note",
    "post": "IPM.Post",
    "event": "IPM.Appointment",
    "contact": "IPM.Contact",
    "list": "IPM.DistList",
    "task": "IPM.Task",
    "meeting_request": "IPM.Schedule.Meeting.Request",
    "meeting_response": "IPM.Schedule.Meeting.Resp.Pos",
    "meeting_cancellation": "IPM.Schedule.Meeting.Canceled",
    "item": "IPM",
}
MAIL_KINDS = frozenset({"message", "meeting_request", "meeting_response", "meeting_cancellation", "post"})


@dataclass(frozen=True, slots=True)
class Item:
    """One item in a folder.

    `id` is new after a move. `change` is the number of its last change (the change key), `arrival` the number
    of the change that brought it into its folder. `overrides` and `dropped` belong to a series: the original
    starts of occurrences that differ, and of those that were deleted.
    """

    id: int
    folder: int
    kind: str
    item_class: str
    values: Mapping[str, Any]
    created: datetime
    modified: datetime
    change: int
    arrival: int
    extended: Mapping[PropertyName, Any] = field(default_factory=dict)
    attachments: tuple[Attachment, ...] = ()
    overrides: Mapping[datetime, Override] = field(default_factory=dict)
    dropped: frozenset[datetime] = frozenset()
    mime: bytes = b""
    modifier: str = ""

    def get(self, name: str, default: Any = None) -> Any:
        return self.values.get(name, default)

    @property
    def received(self) -> datetime:
        value = self.values.get("received")
        return value if isinstance(value, datetime) else self.created

    @property
    def is_read(self) -> bool:
        return bool(self.values.get("is_read", self.kind not in MAIL_KINDS))


@dataclass(frozen=True, slots=True)
class Draft:
    """An item that is not in a folder yet."""

    kind: str
    values: Mapping[str, Any]
    item_class: str = ""
    extended: Mapping[PropertyName, Any] = field(default_factory=dict)
    attachments: tuple[Attachment, ...] = ()
    mime: bytes = b""


@dataclass(frozen=True, slots=True)
class Folder:
    """A folder. `role` is the distinguished name (`inbox`), empty for a user's own; `folder_class` is `IPF.Note`."""

    id: int
    parent: int
    name: str
    folder_class: str
    change: int
    created: int
    role: str = ""
    extended: Mapping[PropertyName, Any] = field(default_factory=dict)


DISTINGUISHED: tuple[tuple[str, str, str, str], ...] = (
    # role, parent's role, display name, folder class; parents first
    ("root", "", "", ""),
    ("msgfolderroot", "root", "Top of Information Store", "IPF"),
    ("searchfolders", "root", "Finder", ""),
    ("recoverableitemsroot", "root", "Recoverable Items", ""),
    ("recoverableitemsdeletions", "recoverableitemsroot", "Deletions", ""),
    ("inbox", "msgfolderroot", "Inbox", "IPF.Note"),
    ("drafts", "msgfolderroot", "Drafts", "IPF.Note"),
    ("sentitems", "msgfolderroot", "Sent Items", "IPF.Note"),
    ("deleteditems", "msgfolderroot", "Deleted Items", "IPF.Note"),
    ("outbox", "msgfolderroot", "Outbox", "IPF.Note"),
    ("junkemail", "msgfolderroot", "Junk Email", "IPF.Note"),
    ("calendar", "msgfolderroot", "Calendar", "IPF.Appointment"),
    ("contacts", "msgfolderroot", "Contacts", "IPF.Contact"),
    ("tasks", "msgfolderroot", "Tasks", "IPF.Task"),
    ("notes", "msgfolderroot", "Notes", "IPF.StickyNote"),
    ("journal", "msgfolderroot", "Journal", "IPF.Journal"),
)
