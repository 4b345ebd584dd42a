"""Sync states and watermarks: opaque to clients, and refused when they belong to something else."""

import base64
import binascii
import json
import zlib

from procession.sandbox.mailbox.changes import Cursor
from procession.sandbox.mailbox.words import Refused

_INVALID = "Synchronization state data is corrupt or otherwise invalid."


def write_state(kind: str, mailbox: str, folder: int, cursor: Cursor) -> str:
    """A state of a run: `kind` is items or hierarchy, `mailbox` a GUID."""
    fields = [kind, mailbox, folder, cursor.base, cursor.top, cursor.phase, cursor.at]
    return _seal(json.dumps(fields, separators=(",", ":")))


def read_state(text: str, kind: str, mailbox: str, folder: int) -> Cursor:
    """The cursor in a state; the beginning for no state.

    Raises:
        Refused: not a state of this server, or of another folder or kind.
    """
    if not text:
        return Cursor()
    try:
        found, owner, root, base, top, phase, at = json.loads(_unseal(text))
        cursor = Cursor(int(base), int(top), phase, int(at))
    except (ValueError, TypeError):
        raise Refused(_INVALID, reason="InvalidSyncStateData") from None
    if (found, owner, root) != (kind, mailbox, folder):
        raise Refused(_INVALID, reason="InvalidSyncStateData")
    return cursor


def write_watermark(mailbox: str, number: int) -> str:
    return _seal(json.dumps(["w", mailbox, number]))


def read_watermark(text: str, mailbox: str) -> int:
    """The event number in a watermark.

    Raises:
        Refused: not a watermark of this mailbox.
    """
    try:
        kind, owner, number = json.loads(_unseal(text))
    except (ValueError, TypeError):
        kind, owner, number = "", "", 0
    if (kind, owner) != ("w", mailbox):
        raise Refused(
            "The watermark used for creating this subscription was not found.", reason="InvalidWatermark"
        )
    return int(number)


def _seal(text: str) -> str:
    data = text.encode()
    return base64.b64encode(zlib.crc32(data).to_bytes(4, "big") + data).decode()


def _unseal(text: str) -> str:
    """Raises ValueError for anything `_seal` did not write."""
    try:
        data = base64.b64decode(text, validate=True)
    except binascii.Error as error:
        raise ValueError(text) from error
    if len(data) < 5 or zlib.crc32(data[4:]).to_bytes(4, "big") != data[:4]:  # noqa: PLR2004 - a checksum and more
        raise ValueError(text)
    return data[4:].decode()
