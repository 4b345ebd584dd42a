"""The occurrences of a recurring event, and what differs in some of them.

An occurrence is an `Item` with the id of its series whose values say which original start it has
(`occurrence_of`); changing one makes an exception: an override kept with the series. The wall time of a
series holds in its zone, whatever daylight saving does.
"""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import Any

from procession.sandbox.mailbox.items import Item
from procession.sandbox.mailbox.recurrence import days
from procession.sandbox.mailbox.store import Mailbox
from procession.sandbox.mailbox.words import Override, Recurrence, Refused
from procession.sandbox.mailbox.zones import zone

_NOT_OF_OCCURRENCE = ("recurrence",)


def is_series(item: Item) -> bool:
    return item.kind == "event" and "recurrence" in item.values and "occurrence_of" not in item.values


def is_occurrence(item: Item) -> bool:
    return "occurrence_of" in item.values


def starts(item: Item) -> Iterator[datetime]:
    """The original starts of a series, deleted ones included, in UTC."""
    recurrence: Recurrence = item.values["recurrence"]
    place = zone(item.values.get("start_zone", ""))
    wall = item.values["start"].astimezone(place).time()
    for day in days(recurrence):
        yield datetime.combine(day, wall, tzinfo=place).astimezone(UTC)


def occurrence(item: Item, original: datetime) -> Item:
    """The occurrence of a series with this original start.

    Raises:
        Refused: deleted.
    """
    if original in item.dropped:
        raise Refused("The occurrence was deleted.", reason="CalendarOccurrenceIsDeletedFromRecurrence")
    values = {name: value for name, value in item.values.items() if name not in _NOT_OF_OCCURRENCE}
    values |= {
        "start": original,
        "end": original + (item.values["end"] - item.values["start"]),
        "occurrence_of": original,
        "calendar_item_type": "Occurrence",
    }
    override = item.overrides.get(original)
    if override is not None:
        values |= dict(override.values) | {"calendar_item_type": "Exception"}
        values = {name: value for name, value in values.items() if value is not None}
    return replace(
        item,
        values=values,
        change=max(item.change, override.change) if override else item.change,
        overrides={},
        dropped=frozenset(),
    )


def numbered(item: Item, index: int) -> Item:
    """The occurrence with this number, counted from 1, deleted ones included.

    Raises:
        Refused: no series, no such number, or deleted.
    """
    if not is_series(item):
        raise Refused("The item is no recurring series.", reason="CalendarCannotUseIdForRecurringMasterId")
    original = next(islice(starts(item), index - 1, None), None) if index >= 1 else None
    if original is None:
        raise Refused(
            "The series has no such occurrence.", reason="CalendarOccurrenceIndexIsOutOfRecurrenceRange"
        )
    return occurrence(item, original)


def occurrence_at(item: Item, original: datetime) -> Item:
    """The occurrence an id names.

    Raises:
        Refused: no longer an occurrence of the series.
    """
    if not is_series(item):
        raise Refused("The specified object was not found in the store.", reason="ItemNotFound")
    for start in starts(item):
        if start == original:
            return occurrence(item, original)
        if start > original:
            break
    raise Refused("The specified object was not found in the store.", reason="ItemNotFound")


def expand(item: Item, start: datetime, end: datetime) -> Iterator[Item]:
    """The occurrences of a series that touch a span of time, exceptions where they moved to."""
    length: timedelta = item.values["end"] - item.values["start"]
    for original in starts(item):
        # A moved exception may come from outside the span; walking on to its original start finds it.
        if original >= end and not any(later >= original for later in item.overrides):
            return
        if original in item.dropped:
            continue
        if original in item.overrides or (original < end and original + length >= start):
            found = occurrence(item, original)
            if touches(found, start, end):
                yield found


def touches(item: Item, start: datetime, end: datetime) -> bool:
    """Does an event lie in a span? One without length does where it starts."""
    begins, ends = item.values["start"], item.values["end"]
    return bool(begins < end and (ends > start or begins == ends >= start))


def edges(item: Item) -> tuple[Item | None, Item | None]:
    """The first and the last occurrence of a series; the last of an endless one is None."""
    kept = [original for original in _bounded(item) if original not in item.dropped]
    if not kept:
        return None, None
    recurrence: Recurrence = item.values["recurrence"]
    endless = recurrence.end is None and recurrence.count is None
    return occurrence(item, kept[0]), None if endless else occurrence(item, kept[-1])


def _bounded(item: Item) -> list[datetime]:
    recurrence: Recurrence = item.values["recurrence"]
    endless = recurrence.end is None and recurrence.count is None
    return list(islice(starts(item), len(item.dropped) + 1) if endless else starts(item))


def change_occurrence(mailbox: Mailbox, series: Item, original: datetime, values: Mapping[str, Any]) -> Item:
    """Make or change an exception; `values` are the occurrence's whole values. The series changes with it."""
    plain = occurrence(replace(series, overrides={}), original)
    own = {
        name: values.get(name)
        for name in values.keys() | plain.values.keys()
        if values.get(name) != plain.values.get(name) and name != "calendar_item_type"
    }
    override = Override(own, mailbox.ticker.last + 1)
    changed = mailbox.change(series, overrides={**series.overrides, original: override})
    return occurrence(changed, original)


def drop_occurrence(mailbox: Mailbox, series: Item, original: datetime) -> Item | None:
    """Delete an occurrence; the series goes with its last one. The changed series, or None."""
    rest = {key: value for key, value in series.overrides.items() if key != original}
    changed = replace(series, dropped=series.dropped | {original}, overrides=rest)
    recurrence: Recurrence = series.values["recurrence"]
    if (recurrence.end or recurrence.count) and all(start in changed.dropped for start in starts(changed)):
        mailbox.remove(series)
        return None
    return mailbox.change(series, dropped=changed.dropped, overrides=rest)
