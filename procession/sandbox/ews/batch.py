"""One call: what was asked, of whom, as which version; and one response message for each thing asked for.

A failure of one thing is that thing's response message and never the whole call's, as in Exchange.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

from procession.sandbox.ews import ids
from procession.sandbox.ews.computed import View
from procession.sandbox.ews.names import Xml, local, m, t
from procession.sandbox.ews.soap import SoapFault, add, element
from procession.sandbox.faults import NO_FAULTS, CallFaults
from procession.sandbox.mailbox import series
from procession.sandbox.mailbox.items import Folder, Item
from procession.sandbox.mailbox.store import Mailbox
from procession.sandbox.mailbox.words import Refused
from procession.sandbox.mailbox.world import World

Asked = TypeVar("Asked")
STOPPED = "The batch operation was stopped before it got here."


@dataclass(slots=True)
class Call:
    """One request. `mailbox` is whom it acts as; `rank` orders versions (2010, 2013, 2016)."""

    world: World
    mailbox: Mailbox
    request: Xml
    rank: int = 2016
    zone: str = ""
    faults: CallFaults = field(default_factory=lambda: NO_FAULTS)
    face: Any = None
    notes: list[str] = field(default_factory=list)
    """For the request log."""

    def view(self, item: Item, mailbox: Mailbox | None = None) -> View:
        return View(self.world, mailbox or self.mailbox, item)


@dataclass(frozen=True, slots=True)
class Operation:
    """An operation, and what answers it with a response element. `element` is the request's, if not called so."""

    name: str
    run: Callable[[Call], Xml]
    since: int = 2007
    element: str = ""


def one(call: Call, name: str, work: Callable[[Xml], None], *, empty: str = "") -> Xml:
    """The response of an operation that is asked for one thing. `name` is the operation's."""
    return many(call, name, (None,), lambda message, _nothing: work(message), empty=empty)


def many(
    call: Call,
    name: str,
    asked: Iterable[Asked],
    work: Callable[[Xml, Asked], None],
    *,
    empty: str = "",
    message: str = "",
) -> Xml:
    """One response message for each thing asked for.

    Args:
        work: fills in the message after `ResponseCode`, or raises Refused.
        empty: an element that the schema wants even in an error (`Items`).
        message: the name of a response message, if it is not the operation's.
    """
    response = element(f"{name}Response")
    messages = add(response, m("ResponseMessages"))
    stopped = False
    for place, entry in enumerate(asked):
        target = add(messages, m(message or f"{name}ResponseMessage"), None, ResponseClass="Success")
        if stopped:
            _fail(target, Refused(STOPPED, reason="BatchProcessingStopped"), empty, klass="Warning")
            continue
        try:
            call.faults.before_entry(place)
            add(target, m("ResponseCode"), "NoError")
            work(target, entry)
        except Refused as refusal:
            _fail(target, refusal, empty)
            stopped = call.faults.stops(refusal)
    return response


def _fail(target: Xml, refusal: Refused, empty: str, *, klass: str = "Error") -> None:
    for child in list(target):
        target.remove(child)
    target.set("ResponseClass", "Warning" if refusal.reason in WARNINGS else klass)
    add(target, m("MessageText"), refusal.message)
    add(target, m("ResponseCode"), f"Error{refusal.reason}")
    add(target, m("DescriptiveLinkKey"), "0")
    details = [
        (name, value)
        for name, value in (("BackOffMilliseconds", refusal.hint),)
        if value and refusal.reason == "ServerBusy"
    ]
    if details:
        extra = add(target, m("MessageXml"))
        for name, value in details:
            add(extra, t("Value"), value, Name=name)
    if empty:
        add(target, m(empty))


WARNINGS = frozenset({"NameResolutionMultipleResults"})


def warn(target: Xml, code: str, text: str) -> None:
    """Make a response message, whose `ResponseCode` is its first child, a warning."""
    target.set("ResponseClass", "Warning")
    target[0].text = code
    first = add(target, m("MessageText"), text)
    target.insert(0, first)
    target.insert(2, add(target, m("DescriptiveLinkKey"), "0"))


# Finding what an id names


def folder_of(call: Call, wanted: Xml) -> tuple[Mailbox, Folder]:
    """The folder of a `FolderId` or `DistinguishedFolderId`, with its mailbox.

    Raises:
        Refused: not found, of a mailbox one may not open, or the id of an item.
    """
    if local(wanted) == "DistinguishedFolderId":
        mailbox = call.mailbox
        other = wanted.findtext(f"{t('Mailbox')}/{t('EmailAddress')}")
        if other is not None and other.strip().lower() != mailbox.address.lower():
            mailbox = _other(call, other.strip())
        return mailbox, mailbox.role(wanted.get("Id"))
    found = ids.read_id(wanted.get("Id"))
    if found.kind != "folder":
        raise Refused("An item id is no folder id.", reason="CannotUseItemIdForFolderId")
    mailbox = _mailbox(call, found)
    key = wanted.get("ChangeKey")
    if key:
        ids.read_change_key(key)
    return mailbox, mailbox.folder(found.number)


def _other(call: Call, address: str) -> Mailbox:
    mailbox = call.world.mailbox(address)
    if mailbox is None:
        raise Refused("The SMTP address has no mailbox associated with it.", reason="NonExistentMailbox")
    if call.face is not None and (call.mailbox.address.lower(), address.lower()) in call.face.delegates:
        return mailbox
    raise Refused("Access is denied. Check credentials and try again.", reason="AccessDenied")


def _mailbox(call: Call, found: ids.Id) -> Mailbox:
    if found.mailbox == call.mailbox.guid:
        return call.mailbox
    mailbox = ids.mailbox_of(found, call.world.mailboxes.values())
    if mailbox is None:
        raise Refused("The mailbox of the Id is not here.", reason="InvalidIdMalformed")
    return _other(call, mailbox.address)


def item_of(call: Call, wanted: Xml) -> tuple[Mailbox, Item]:
    """The item of an `ItemId`, `OccurrenceItemId` or `RecurringMasterItemId`.

    Raises:
        Refused: not found, or the id of something else.
    """
    match local(wanted):
        case "OccurrenceItemId":
            mailbox, series_item = _plain(call, wanted.get("RecurringMasterId"))
            return mailbox, series.numbered(series_item, int(wanted.get("InstanceIndex")))
        case "RecurringMasterItemId":
            found = ids.read_id(wanted.get("OccurrenceId"))
            if found.kind != "occurrence":
                raise Refused("The id is that of no occurrence.", reason="CalendarCannotUseIdForOccurrenceId")
            mailbox = _mailbox(call, found)
            return mailbox, mailbox.item(found.number)
        case _:
            return _plain(call, wanted.get("Id"))


def _plain(call: Call, text: str) -> tuple[Mailbox, Item]:
    found = ids.read_id(text)
    if found.kind == "folder":
        raise Refused("A folder id is no item id.", reason="CannotUseFolderIdForItemId")
    mailbox = _mailbox(call, found)
    item = mailbox.item(found.number)
    if found.kind == "occurrence" and found.original is not None:
        return mailbox, series.occurrence_at(item, found.original)
    return mailbox, item


def items_of(call: Call, parent: str = "ItemIds") -> Sequence[Xml]:
    return list(call.request.find(m(parent)))


def operation_since(operation: Operation, rank: int) -> None:
    if operation.since > rank:
        raise SoapFault(
            f"The operation {operation.name} is not part of the requested version.",
            code="ErrorInvalidRequest",
        )
