"""Extended properties that the store works out itself: MAPI tags of what an item or folder has anyway.

Source: [MS-OXPROPS]. Any other extended property is what a client has written.
"""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

from procession.sandbox.ews import ids
from procession.sandbox.ews.codecs import moment_text
from procession.sandbox.ews.computed import View
from procession.sandbox.mailbox import mime
from procession.sandbox.mailbox.items import Folder
from procession.sandbox.mailbox.store import Mailbox
from procession.sandbox.mailbox.words import PropertyName

Value = str | tuple[str, ...] | None


def _hex(data: bytes) -> str:
    import base64

    return base64.b64encode(data).decode()


def _of(word: str) -> Callable[[View], Value]:
    def value(view: View) -> Value:
        found = view.item.values.get(word)
        return str(found) if found is not None else None

    return value


def _first_sender(view: View) -> str | None:
    sender = view.item.values.get("from") or view.item.values.get("organizer")
    return sender.email if sender is not None else None


def _message_flags(view: View) -> str:
    values = view.item.values
    return str(
        (1 if view.item.is_read else 0)
        | (8 if values.get("is_draft") else 0)
        | (16 if view.item.attachments else 0)
    )


TAGS: Mapping[int, Callable[[View], Value]] = {
    0x0017: lambda view: {"Low": "0", "High": "2"}.get(view.item.values.get("importance", "Normal"), "1"),
    0x001A: lambda view: view.item.item_class,
    0x0036: lambda view: {"Personal": "1", "Private": "2", "Confidential": "3"}.get(
        view.item.values.get("sensitivity", "Normal"), "0"
    ),
    0x0037: _of("subject"),
    0x007D: lambda view: (
        mime.content(view.item).partition(b"\r\n\r\n")[0].decode("utf-8", "replace")
        if view.item.values.get("received")
        else None
    ),
    0x0C1F: _first_sender,
    0x0E06: lambda view: moment_text(view.item.received),
    0x0E07: _message_flags,
    0x0E08: lambda view: str(mime.size(view.item)),
    0x0E1B: lambda view: "true" if view.item.attachments else "false",
    0x0E1D: lambda view: mime.topic(view.item.values.get("subject") or ""),
    0x0FFF: lambda view: _hex(ids.item_entry(view.mailbox, view.item.id)),
    0x1035: _of("message_id"),
    0x1039: _of("references"),
    0x1042: _of("in_reply_to"),
    0x3007: lambda view: moment_text(view.item.created),
    0x3008: lambda view: moment_text(view.item.modified),
    0x5D01: _first_sender,
}
"""By tag: importance, class, sensitivity, subject, headers, sender, delivery time, flags, size, attachments, normalised
subject, entry id, message id, references, in-reply-to, creation, modification, sender's SMTP address."""


def property_value(view: View, name: PropertyName) -> Value:
    """An item's extended property: what a client wrote, else what the store knows; None if neither."""
    if name in view.item.extended:
        found: Value = view.item.extended[name]
        return found
    compute = TAGS.get(name.tag)
    return compute(view) if compute is not None else None


def _commit_time(mailbox: Mailbox, folder: Folder) -> str:
    """PR_LOCAL_COMMIT_TIME_MAX: a moment that is later after every change in the folder, whatever the clock says."""
    last = mailbox.logs[folder.id].last or folder.created
    return datetime.fromtimestamp(1_700_000_000 + last, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


FOLDER_TAGS: Mapping[int, Callable[[Mailbox, Folder], Value]] = {
    0x3001: lambda _mailbox, folder: folder.name,
    0x3602: lambda mailbox, folder: str(len(mailbox.orders[folder.id].entries)),
    0x3603: lambda mailbox, folder: str(mailbox.orders[folder.id].unread),
    0x3613: lambda _mailbox, folder: folder.folder_class or None,
    0x10F4: lambda _mailbox, _folder: "false",
    0x0E08: lambda mailbox, folder: str(sum(mime.size(item) for item in mailbox.contents(folder))),
    0x670A: _commit_time,
    0x670B: lambda mailbox, folder: str(sum(mark.gone for mark in mailbox.logs[folder.id].marks.values())),
}


def folder_property(mailbox: Mailbox, folder: Folder, name: PropertyName) -> Any:
    if name in folder.extended:
        return folder.extended[name]
    compute = FOLDER_TAGS.get(name.tag)
    return compute(mailbox, folder) if compute is not None else None
