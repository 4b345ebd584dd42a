"""ConvertId: one id in several spellings: EwsId, EntryId (base64), HexEntryId, StoreId, OwaId."""

import base64
import binascii
from urllib.parse import quote, unquote

from procession.sandbox.ews import ids
from procession.sandbox.ews.batch import Call, Operation, items_of, many
from procession.sandbox.ews.names import PREFIXES, Xml, local, m
from procession.sandbox.ews.soap import add
from procession.sandbox.mailbox.store import Mailbox
from procession.sandbox.mailbox.words import Refused

_XSI = "http://www.w3.org/2001/XMLSchema-instance"
_FOLDER_ENTRY, _ITEM_ENTRY = 46, 70


def convert_id(call: Call) -> Xml:
    wanted = call.request.get("DestinationFormat")

    def work(message: Xml, source: Xml) -> None:
        if local(source) != "AlternateId":
            raise Refused("Public folders are not supported.", reason="UnsupportedTypeForConversion")
        address = source.get("Mailbox")
        mailbox = call.world.mailbox(address)
        text = _to_ews(source.get("Id"), source.get("Format"), mailbox)
        ids.read_id(text)
        if mailbox is None:
            raise Refused("The SMTP address has no mailbox associated with it.", reason="NonExistentMailbox")
        target = add(
            message, m("AlternateId"), None, Format=wanted, Id=_from_ews(text, wanted), Mailbox=address
        )
        target.set(f"{{{_XSI}}}type", f"{_prefix(target)}:AlternateIdType")

    return many(call, "ConvertId", items_of(call, "SourceIds"), work)


def _prefix(element: Xml) -> str:
    prefixes: dict[str | None, str] = element.nsmap
    return next(prefix for prefix, uri in prefixes.items() if uri == PREFIXES["t"] and prefix)


def _entry(text: str) -> bytes:
    data = base64.b64decode(text)
    size = data[2] + 256 * data[3]
    length = data[5 + size] + 256 * data[6 + size]
    return data[7 + size : 7 + size + length]


def _to_ews(text: str, style: str, mailbox: Mailbox | None) -> str:
    """Raises Refused for an id that is none of its style."""
    try:
        match style:
            case "EwsId" | "EwsLegacyId":
                return text
            case "OwaId":
                return unquote(text)
            case "HexEntryId":
                entry = bytes.fromhex(text)
            case _:
                entry = base64.b64decode(text, validate=True)
    except (ValueError, binascii.Error):
        raise Refused("The Id is malformed.", reason="InvalidIdMalformed") from None
    if mailbox is None:
        raise Refused("The SMTP address has no mailbox associated with it.", reason="NonExistentMailbox")
    if len(entry) == _FOLDER_ENTRY:
        return ids.folder_id(mailbox, int.from_bytes(entry[38:44], "big"))
    if len(entry) == _ITEM_ENTRY:
        return ids.item_id(mailbox, int.from_bytes(entry[62:68], "big"))
    raise Refused("The Id is malformed.", reason="InvalidIdMalformed")


def _from_ews(text: str, style: str) -> str:
    match style:
        case "EwsId" | "EwsLegacyId":
            return text
        case "OwaId":
            return quote(text, safe="")
        case "HexEntryId":
            return _entry(text).hex().upper()
        case _:
            return base64.b64encode(_entry(text)).decode()


OPERATIONS = (Operation("ConvertId", convert_id),)
