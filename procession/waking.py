"""Events → waits: what waits for a moment that may have moved, and what waits for these very events."""

from collections.abc import Mapping, Sequence
from datetime import datetime

from procession.correlation import keys_of, kinds_of
from procession.ports import Correlation, Event, Start, Unit
from procession.records import Record, Ref, Schema
from procession.values import from_json

MOST_WOKEN = 500
"""Waits that one unit wakes by events. One event may wake a hundred thousand, and a unit is to be short."""


def wake(
    unit: Unit, events: Sequence[Event], starts: Sequence[Start], schema: Schema, now: datetime
) -> set[int]:
    """Wake what these events concern, and commit; returns the events that there is more to wake by.

    A start that replaces an instance (`mode: restart`) takes its event away from it; in every other mode both get it.
    """
    woken = unit.journal.wake_by(events, now, MOST_WOKEN)
    unfinished = {event.id for event in events} if woken == MOST_WOKEN else set()
    unfinished = unfinished or hand_out(unit, events, starts, schema, now)
    unit.commit()
    return unfinished


def hand_out(
    unit: Unit, events: Sequence[Event], starts: Sequence[Start], schema: Schema, now: datetime
) -> set[int]:
    """Hand events that were taken up to those who wait for them; returns the events that more wait for."""
    awaited = unit.journal.awaited(frozenset[str]().union(*map(kinds_of, events)))
    sought = [event for event in events if not awaited.isdisjoint(kinds_of(event))]
    if not sought:
        return set()
    return unit.journal.correlate(_correlations(sought, starts, unit, schema), now, MOST_WOKEN)


def _correlations(
    events: Sequence[Event], starts: Sequence[Start], unit: Unit, schema: Schema
) -> list[Correlation]:
    refs = {event.ref for event in events if event.ref and event.type != "deleted"}
    records = dict(unit.records.fetch(refs, frozenset())) if refs else {}
    return [
        Correlation(
            event, kinds_of(event), keys_of(event, _record(event, records), schema),
            frozenset((s.process, s.key) for s in starts if _takes_away(s, event)),
        )
        for event in events
    ]  # fmt: skip


def _takes_away(start: Start, event: Event) -> bool:
    """Whether it replaces an instance because of this event: of the changes of a record that were merged, because of each."""
    if start.mode != "restart" or start.error:
        return False
    is_merged = (
        event.ref is not None
        and start.trigger.get("record") == str(event.ref)
        and event.id < (start.event_id or 0)
    )
    return start.event_id == event.id or is_merged


def _record(event: Event, records: Mapping[Ref, Record]) -> Record | None:
    if event.ref and event.type == "deleted":
        return Record(event.ref, from_json(event.payload))
    return records.get(event.ref) if event.ref else None
