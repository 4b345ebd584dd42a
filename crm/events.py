"""The event log: what was saved, and what schedules and people asked for, until it is dispatched."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, Literal, cast

from sqlalchemy import Connection, bindparam, func, insert, select, text, update

from crm import journal as j
from crm.news import wrote_an_event
from crm.statements import IDS, NOW, Part, Upsert, portions, take_numbers
from procession.ports import Actor, Event, EventType
from procession.records import Ref

_INSERT = insert(j.event)
_INSERT_NEW = Upsert(j.event)
_NEW = select(j.event.c.id).where(j.event.c.id.in_(IDS))
_PENDING = (
    select(j.event)
    .where(text("event.dispatched_at IS NULL"))
    .order_by(j.event.c.id)
    .limit(bindparam("limit"))
    .with_for_update(skip_locked=True)
)
_UNITS = select(j.planner.c.units).where(j.planner.c.id == 1)
_DISPATCHED = (
    update(j.event)
    .where(j.event.c.id.in_(IDS))
    .values(dispatched_at=NOW, dispatch=func.coalesce(j.event.c.dispatch, _UNITS.scalar_subquery()))
)
_TAKE_UP = (
    update(j.event)
    .where(j.event.c.id.in_(IDS), j.event.c.dispatch.is_(None))
    .values(dispatch=_UNITS.scalar_subquery())
)


@dataclass(frozen=True, slots=True)
class Saved:
    """One save. `changed` names the fields of a modification, `payload` holds the last values of a deleted record."""

    type: Literal["added", "modified", "deleted"]
    ref: Ref
    by: Actor
    changed: tuple[str, ...] = ()
    payload: Mapping[str, Any] = field(default_factory=dict)


def tell(connection: Connection, saves: Iterable[Saved], at: datetime) -> None:
    """Write one event for each save. Those of a process never start that process (`origin`)."""
    if rows := rows_of(saves, at):
        connection.execute(_INSERT, rows)
        wrote_an_event(connection)


def rows_of(saves: Iterable[Saved], at: datetime) -> list[dict[str, Any]]:
    return [
        row_of(Event(0, at, save.type, save.ref, save.changed, origin=save.by.process, payload=save.payload))
        for save in saves
    ]


class EventLog(Part):
    """See `procession.ports.Journal`."""

    def append(self, events: Sequence[Event]) -> list[int | None]:
        numbers = take_numbers(self._connection, j.event, len(events))
        rows = [row_of(event) | {"id": number} for number, event in zip(numbers, events, strict=True)]
        if not rows:
            return []
        # In the order of their keys: two engines that tell of the same moments do not wait for each other.
        self._connection.execute(_INSERT_NEW.on(self._connection), sorted(rows, key=_dedupe_key))
        wrote_an_event(self._connection)
        new = {
            number
            for some in portions(numbers)
            for number in self._connection.execute(_NEW, {"ids": some}).scalars()
        }
        return [number if number in new else None for number in numbers]

    def pending(self, limit: int) -> list[Event]:
        return [event_of(row) for row in self._connection.execute(_PENDING, {"limit": limit})]

    def take_up(self, limit: int) -> list[Event]:
        events = self.pending(limit)
        if new := [event.id for event in events if not event.dispatch]:
            for some in portions(new):
                self._connection.execute(_TAKE_UP, {"ids": some})
        unit = self.units() if new else 0
        return [replace(event, dispatch=event.dispatch or unit) for event in events]

    def units(self) -> int:
        return self._connection.execute(_UNITS).scalar() or 0

    def dispatched(self, events: Collection[int], at: datetime) -> None:
        for some in portions(events):
            self._connection.execute(_DISPATCHED, {"ids": some, "now": at})


def _dedupe_key(row: Mapping[str, Any]) -> str:
    return row["dedupe_key"] or ""


def row_of(event: Event) -> dict[str, Any]:
    return {
        "at": event.at,
        "type": event.type,
        "entity": event.ref.entity if event.ref else "",
        "record_id": event.ref.id if event.ref else None,
        "changed": event.changed or None,
        "process": event.process,
        "trigger": event.trigger,
        "origin": event.origin,
        "payload": event.payload or None,
        "dedupe_key": event.dedupe_key or None,
        "name": event.name,
    }


def event_of(row: Any) -> Event:
    return Event(
        id=row.id,
        at=row.at,
        type=cast(EventType, row.type),
        ref=Ref(row.entity, row.record_id) if row.record_id is not None else None,
        changed=tuple(row.changed or ()),
        process=row.process,
        trigger=row.trigger,
        origin=row.origin,
        payload=row.payload or {},
        dedupe_key=row.dedupe_key or "",
        dispatch=row.dispatch or 0,
        name=row.name,
    )
