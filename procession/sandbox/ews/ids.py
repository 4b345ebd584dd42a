"""Item, folder and attachment ids, byte for byte as [MS-OXWSITEMID] and [MS-OXCDATA] lay them out.

An id is base64 of: compression (0), storage type (3, by mailbox GUID), the mailbox GUID, a processing
instruction (0 normal, 1 an occurrence), the store's entry id, and for an attachment its own id. The entry id
holds the number of the item. Clients may take nothing of this for granted.
"""

import base64
import binascii
import struct
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Literal
from uuid import UUID, uuid5

from procession.sandbox.mailbox.items import Folder, Item
from procession.sandbox.mailbox.store import Mailbox
from procession.sandbox.mailbox.words import Refused

_FOLDER, _ITEM = 1, 7
_NO_FOLDER = bytes(8)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_FOLDER_SIZE, _ITEM_SIZE, _OCCURRENCE_SIZE, _KEY_SIZE = 46, 70, 78, 30
"""Bytes of a folder's and an item's entry id, of the latter with an original start, and of a change key."""
Kind = Literal["folder", "item", "occurrence", "attachment"]


@dataclass(frozen=True, slots=True)
class Id:
    """What an id names: a thing of a mailbox; the original start of an occurrence; the number of an attachment."""

    kind: Kind
    mailbox: str
    """The mailbox's GUID."""
    number: int
    original: datetime | None = None
    attachments: tuple[int, ...] = ()


def folder_id(mailbox: Mailbox, number: int) -> str:
    return _encode(mailbox.guid, _folder_entry(mailbox, number))


def item_id(
    mailbox: Mailbox, number: int, original: datetime | None = None, attachment: int | None = None
) -> str:
    entry = item_entry(mailbox, number)
    if original is not None:
        seconds = int((original - _EPOCH).total_seconds())
        return _encode(mailbox.guid, entry + struct.pack(">q", seconds), instruction=1)
    tail = b"" if attachment is None else struct.pack("<BHq", 1, 8, attachment)
    return _encode(mailbox.guid, entry, tail=tail)


def id_of(mailbox: Mailbox, item: Item) -> str:
    """The id of an item, or of an occurrence of a series (its values say of which original start)."""
    return item_id(mailbox, item.id, item.values.get("occurrence_of"))


def change_key(change: int, guid: str) -> str:
    return base64.b64encode(
        struct.pack("<II", 9, 22) + _entry_parts(guid, _ITEM)[1] + change.to_bytes(6, "big")
    ).decode()


def read_change_key(key: str) -> int:
    """The number in a change key.

    Raises:
        Refused: no change key at all.
    """
    try:
        data = base64.b64decode(key, validate=True)
    except (binascii.Error, ValueError):
        data = b""
    if len(data) != _KEY_SIZE:
        raise Refused("The change key is invalid.", reason="InvalidChangeKey")
    return int.from_bytes(data[24:], "big")


def item_entry(mailbox: Mailbox, number: int) -> bytes:
    """A message entry id ([MS-OXCDATA] 2.2.4.2): 70 bytes."""
    head, guid = _entry_parts(mailbox.guid, _ITEM)
    return head + _NO_FOLDER + guid + number.to_bytes(6, "big") + b"\0\0"


def _folder_entry(mailbox: Mailbox, number: int) -> bytes:
    """A folder entry id ([MS-OXCDATA] 2.2.4.1): 46 bytes."""
    return _entry_parts(mailbox.guid, _FOLDER)[0] + number.to_bytes(6, "big") + b"\0\0"


@cache
def _entry_parts(guid: str, kind: int) -> tuple[bytes, bytes]:
    """(the first 38 bytes of an entry id, the GUID of the store), which are the same for a whole mailbox."""
    raw = UUID(guid).bytes
    return b"\0\0\0\0" + uuid5(UUID(guid), "store").bytes + struct.pack("<H", kind) + raw, raw


def _encode(guid: str, entry: bytes, *, instruction: int = 0, tail: bytes = b"") -> str:
    moniker = guid.encode()
    head = struct.pack("<BBH", 0, 3, len(moniker)) + moniker
    return base64.b64encode(head + struct.pack("<BH", instruction, len(entry)) + entry + tail).decode()


def read_id(text: str) -> Id:
    """What an id names.

    Raises:
        Refused: empty, or no id of this server.
    """
    if not text:
        raise Refused("The Id is empty.", reason="InvalidIdEmpty")
    try:
        data = base64.b64decode(text, validate=True)
        length = struct.unpack_from("<H", data, 2)[0]
        guid = str(UUID(data[4 : 4 + length].decode()))
        instruction, size = struct.unpack_from("<BH", data, 4 + length)
        start = 7 + length
        entry, tail = data[start : start + size], data[start + size :]
        return _read_entry(guid, instruction, entry, tail)
    except (binascii.Error, ValueError, struct.error, IndexError):
        raise Refused("The Id is malformed.", reason="InvalidIdMalformed") from None


def _read_entry(guid: str, instruction: int, entry: bytes, tail: bytes) -> Id:
    if len(entry) == _FOLDER_SIZE:
        return Id("folder", guid, int.from_bytes(entry[38:44], "big"))
    number = int.from_bytes(entry[62:68], "big")
    if len(entry) == _OCCURRENCE_SIZE and instruction == 1:
        return Id("occurrence", guid, number, _EPOCH + timedelta(seconds=struct.unpack(">q", entry[70:])[0]))
    if len(entry) != _ITEM_SIZE:
        raise ValueError(len(entry))
    if tail:
        count = tail[0]
        numbers = tuple(struct.unpack_from("<q", tail, 3 + 10 * place)[0] for place in range(count))
        return Id("attachment", guid, number, None, numbers)
    return Id("item", guid, number)


def mailbox_of(found: Id, mailboxes: Iterable[Mailbox]) -> Mailbox | None:
    return next((mailbox for mailbox in mailboxes if mailbox.guid == found.mailbox), None)


def folder_key(mailbox: Mailbox, folder: Folder) -> str:
    return change_key(folder.change, mailbox.guid)
