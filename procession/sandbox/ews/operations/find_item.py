"""FindItem: a folder searched, sorted and paged; a calendar's series expanded over a span of time."""

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta

from procession.sandbox.ews.batch import Call, Operation, folder_of, many
from procession.sandbox.ews.codecs import read_moment
from procession.sandbox.ews.computed import View
from procession.sandbox.ews.names import Xml, local, m, t
from procession.sandbox.ews.operations.get_item import current
from procession.sandbox.ews.restrictions import Restriction, read_restriction, sort
from procession.sandbox.ews.shapes import Shape, check_lists, read_shape, write_item
from procession.sandbox.ews.soap import add
from procession.sandbox.mailbox import mime, series
from procession.sandbox.mailbox.items import Folder, Item
from procession.sandbox.mailbox.store import Mailbox
from procession.sandbox.mailbox.words import Refused

PAGE, RESTRICTED_PAGE = 1000, 250
"""The most that a page gives (Exchange's default throttling policy), without and with a restriction."""
VIEW_LIMIT = timedelta(days=2 * 366)
_ORDERED_BY = "item:DateTimeReceived"


@dataclass(frozen=True, slots=True)
class Found:
    """A page: `total` in all, `next` the offset of the page after, `last` whether there is none."""

    views: Sequence[View]
    total: int
    next: int
    last: bool


def find_item(call: Call) -> Xml:
    shape = read_shape(call.request.find(m("ItemShape")), call.rank, lists=True)

    def work(message: Xml, wanted: Xml) -> None:
        check_lists(shape)
        restriction = read_restriction(call.request.find(m("Restriction")))
        mailbox, folder = folder_of(call, wanted)
        _write(message, _as_seen(call, _find(call, mailbox, folder, restriction)), shape, call)

    return many(call, "FindItem", list(call.request.find(m("ParentFolderIds"))), work)


def _as_seen(call: Call, found: Found) -> Found:
    """What was found; under the fault `stale` as it was before its last change."""
    if call.faults.get("stale") is None:
        return found
    views = [replace(view, item=current(call, view.mailbox, view.item)) for view in found.views]
    return replace(found, views=views)


def _write(message: Xml, found: Found, shape: Shape, call: Call) -> None:
    root = add(
        message,
        m("RootFolder"),
        None,
        TotalItemsInView=str(found.total),
        IncludesLastItemInRange="true" if found.last else "false",
    )
    if call.request.find(m("CalendarView")) is None:
        root.set("IndexedPagingOffset", str(found.next))
    items = add(root, t("Items"))
    for view in found.views:
        write_item(items, view, shape)


def _find(call: Call, mailbox: Mailbox, folder: Folder, restriction: Restriction | None) -> Found:
    request = call.request
    calendar = request.find(m("CalendarView"))
    if calendar is not None:
        return _calendar(call, mailbox, folder, calendar)
    if request.get("Traversal") == "Associated":
        return Found((), 0, 0, last=True)
    if request.get("Traversal") == "SoftDeleted":
        folder = mailbox.role("recoverableitemsdeletions")
    query = request.find(m("QueryString"))
    if query is not None and (query.text or "").strip():
        restriction = _query(query.text.split(), restriction)
    order = request.find(m("SortOrder"))
    if restriction is None and (order is None or _by_received(order)):
        return _ordered(call, mailbox, folder, order)
    views = [
        call.view(mailbox.items[number], mailbox) for number in _candidates(mailbox, folder, restriction)
    ]
    if restriction is not None:
        views = [view for view in views if restriction.matches(view)]
    if order is not None:
        sort(views, order)
    offset, limit = _page(request, len(views), restricted=restriction is not None)
    return Found(
        views[offset : offset + limit],
        len(views),
        min(offset + limit, len(views)),
        offset + limit >= len(views),
    )


def _candidates(mailbox: Mailbox, folder: Folder, restriction: Restriction | None) -> Iterable[int]:
    """Item ids that may match, newest first."""
    if restriction is not None and restriction.identity is not None:
        found = mailbox.identities.find(*restriction.identity)
        return sorted((number for number in found if mailbox.items[number].folder == folder.id), reverse=True)
    return mailbox.orders[folder.id].slice(0, None, newest_first=True)


def _by_received(order: Xml) -> bool:
    return len(order) == 1 and order[0][0].get("FieldURI") == _ORDERED_BY


def _ordered(call: Call, mailbox: Mailbox, folder: Folder, order: Xml | None) -> Found:
    """A page straight from the folder's own order."""
    entries = mailbox.orders[folder.id]
    total = len(entries.entries)
    offset, limit = _page(call.request, total, restricted=False)
    newest_first = order is None or order[0].get("Order") == "Descending"
    numbers = entries.slice(offset, limit, newest_first=newest_first)
    views = [call.view(mailbox.items[number], mailbox) for number in numbers]
    return Found(views, total, min(offset + limit, total), offset + limit >= total)


def _page(request: Xml, total: int, *, restricted: bool) -> tuple[int, int]:
    """(offset, limit) of the page asked for.

    Raises:
        Refused: a page that cannot be.
    """
    most = RESTRICTED_PAGE if restricted else PAGE
    view = next((child for child in request if local(child) in _VIEWS), None)
    if view is None:
        return 0, most
    limit = int(view.get("MaxEntriesReturned", most))
    if limit < 1:
        raise Refused("The number of entries to return is 1 or more.", reason="InvalidPagingMaxRows")
    return _VIEWS[local(view)](view, total, min(limit, most)), min(limit, most)


def _indexed(view: Xml, total: int, limit: int) -> int:
    offset = int(view.get("Offset"))
    if offset < 0:
        raise Refused("The offset of a page is 0 or more.", reason="InvalidIndexedPagingParameters")
    return max(0, total - offset - limit) if view.get("BasePoint") == "End" else offset


def _fractional(view: Xml, total: int, _limit: int) -> int:
    numerator, denominator = int(view.get("Numerator")), int(view.get("Denominator"))
    if not 0 <= numerator <= denominator or denominator < 1:
        raise Refused(
            "The fraction of a page lies between 0 and 1.", reason="InvalidFractionalPagingParameters"
        )
    return math.floor(total * numerator / denominator)


_VIEWS: dict[str, Callable[[Xml, int, int], int]] = {
    "IndexedPageItemView": _indexed,
    "FractionalPageItemView": _fractional,
    "ContactsView": lambda _view, _total, _limit: 0,
}


def _calendar(call: Call, mailbox: Mailbox, folder: Folder, view: Xml) -> Found:
    """Events and occurrences that touch a span, by start."""
    start, end = read_moment(view.get("StartDate"), call.zone), read_moment(view.get("EndDate"), call.zone)
    if end < start:
        raise Refused("EndDate is earlier than StartDate", reason="CalendarEndDateIsEarlierThanStartDate")
    if end - start > VIEW_LIMIT:
        raise Refused(
            "The specified view range exceeds the maximum range of two years.",
            reason="CalendarViewRangeTooBig",
        )
    if not folder.folder_class.startswith("IPF.Appointment"):
        raise Refused("A calendar view is of a calendar.", reason="CalendarFolderIsInvalidForCalendarView")
    if call.request.find(m("Restriction")) is not None or call.request.find(m("SortOrder")) is not None:
        raise Refused("A calendar view has no restriction and no order.", reason="UnsupportedPathForQuery")
    found: list[Item] = []
    for item in mailbox.contents(folder):
        if series.is_series(item):
            found += series.expand(item, start, end)
        elif item.kind == "event" and series.touches(item, start, end):
            found.append(item)
    found.sort(key=lambda item: (item.values["start"], item.id))
    limit = int(view.get("MaxEntriesReturned", len(found) or 1))
    if view.get("MaxEntriesReturned") is None and len(found) > PAGE:
        raise Refused("The view holds more than 1,000 events.", reason="ExceededFindCountLimit")
    return Found([call.view(item, mailbox) for item in found[:limit]], len(found), limit, limit >= len(found))


def _query(wanted: Sequence[str], restriction: Restriction | None) -> Restriction:
    """A search as people type it: every word, in subject, body or sender; `subject:` and `from:` say where."""

    def matches(view: View) -> bool:
        values = view.item.values
        body, sender = values.get("body"), values.get("from")
        texts = {
            "subject": str(values.get("subject") or ""),
            "body": mime.plain_text(body) if body else "",
            "from": f"{sender.name} {sender.email}" if sender else "",
        }
        return all(_hit(word.casefold(), texts) for word in wanted) and (
            restriction is None or restriction.matches(view)
        )

    return Restriction(matches)


def _hit(word: str, texts: dict[str, str]) -> bool:
    where, colon, what = word.partition(":")
    if colon and where in texts:
        return what.strip('"') in texts[where].casefold()
    return any(word.strip('"') in text.casefold() for text in texts.values())


OPERATIONS = (Operation("FindItem", find_item),)
