"""Events → waits: what waits for a moment that may have moved, and what waits for these very events."""

from collections.abc import Mapping, Sequence
from datetime import datetime

from procession.correlation import keys_of, kinds_of
from procession.ports import Correlation, Event, Start, Unit
from procession.records import Record, Ref, Schema
from procession.values import from_json

MOST_WOKEN = 500
"""Waits that one unit wakes by events. One event may wake a hundred thousand, and a unit is to be short."""


def wake(unit: Unit, events: Sequence[Event], starts: Sequence[Start], schema: Schema, now: datetime) -> bool:
    """Wake what these events concern, and commit; False if there may be more to wake.

    A start that replaces an instance (`mode: restart`) takes its event away from it; in every other mode both get it.
    """
    woken = unit.journal.wake_by(events, now, MOST_WOKEN)
    is_done = woken < MOST_WOKEN
    kinds = frozenset[str]().union(*map(kinds_of, events)) if is_done else ()
    awaited = unit.journal.awaited(kinds)
    if sought := [event for event in events if not awaited.isdisjoint(kinds_of(event))]:
        correlations = _correlations(sought, starts, unit, schema)
        is_done = unit.journal.correlate(correlations, now, MOST_WOKEN) < MOST_WOKEN
    unit.commit()
    return is_done


def _correlations(
    events: Sequence[Event], starts: Sequence[Start], unit: Unit, schema: Schema
) -> list[Correlation]:
    refs = {event.ref for event in events if event.ref and event.type != "deleted"}
    records = dict(unit.records.fetch(refs, frozenset())) if refs else {}
    return [
        Correlation(
            event, kinds_of(event), keys_of(event, _record(event, records), schema),
            frozenset((s.process, s.key) for s in starts if s.event_id == event.id and s.mode == "restart" and not s.error),
        )
        for event in events
    ]  # fmt: skip


def _record(event: Event, records: Mapping[Ref, Record]) -> Record | None:
    if event.ref and event.type == "deleted":
        return Record(event.ref, from_json(event.payload))
    return records.get(event.ref) if event.ref else None
