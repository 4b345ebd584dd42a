"""The event log: what was saved, and what schedules and people asked for, until it is dispatched.

What is bulk (`crm.bulk`) comes after what is not, but never an event before an older one of its record.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, Literal, cast

from sqlalchemy import Connection, Select, bindparam, exists, func, insert, select, text, update

from crm import journal as j
from crm.bulk import Counts, Told
from crm.news import wrote_an_event
from crm.statements import IDS, NOW, Part, Upsert, portions, take_numbers, unindexed
from procession.ports import MOST_BULK, Actor, Event, EventType
from procession.records import Ref

_TOLD = "procession.told"
_E = j.event.c
_INSERT = insert(j.event)
_INSERT_URGENT = insert(j.event).returning(_E.id)
_MAKE_BULK = update(j.event).where(_E.id.in_(IDS)).values(bulk=True)
_INSERT_NEW = Upsert(j.event)
_NEW = select(j.event.c.id).where(j.event.c.id.in_(IDS))
_UNDISPATCHED = select(j.event).where(text("event.dispatched_at IS NULL")).with_for_update(skip_locked=True)
_PENDING = (
    _UNDISPATCHED.add_columns(exists(select(j.file_import.c.id)).label("there_are_imports"))
    .where(_E.import_id == 0)
    .order_by(_E.bulk, _E.id)
    .limit(bindparam("limit"))
)
_PENDING_UP_TO = (
    _UNDISPATCHED.where(_E.import_id == 0, _E.bulk.in_((False, True)), _E.id <= bindparam("last"))
    .order_by(_E.bulk, _E.id)
    .limit(bindparam("limit"))
)
_OF_RECORDS = (
    select(j.event)
    .where(_E.entity == bindparam("entity"), _E.record_id.in_(IDS))
    .where(unindexed(_E.dispatched_at.is_(None)))
    .with_for_update(skip_locked=True)
)
_OLDEST = (
    select(_E.at)
    .where(text("event.dispatched_at IS NULL"), _E.import_id == 0, _E.bulk == bindparam("is_bulk"))
    .order_by(_E.id)
    .limit(1)
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


def begin_to_tell(connection: Connection, counts: Counts) -> None:
    """A unit begins on this connection."""
    connection.info[_TOLD] = Told(counts)


def told_in(connection: Connection) -> Told:
    told: Told = connection.info.setdefault(_TOLD, Told(Counts()))
    return told


def tell(connection: Connection, saves: Iterable[Saved], at: datetime) -> None:
    """Write one event for each save. Those of a process never start that process (`origin`)."""
    told = told_in(connection)
    rows = rows_of(saves, at, told)
    if not rows:
        return
    if rows[0]["bulk"]:
        connection.execute(_INSERT, rows)
        if told.urgent:
            connection.execute(_MAKE_BULK, {"ids": told.urgent})
            told.urgent.clear()
    else:
        told.urgent += connection.execute(_INSERT_URGENT, rows).scalars()
    wrote_an_event(connection)


def rows_of(saves: Iterable[Saved], at: datetime, told: Told) -> list[dict[str, Any]]:
    saves = list(saves)
    bulk = told.is_bulk((save.by for save in saves), at)
    events = [
        Event(0, at, one.type, one.ref, one.changed, origin=one.by.process, payload=one.payload, bulk=bulk)
        for one in saves
    ]
    return [row_of(event) | {"import_id": told.import_id} for event in events]


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

    def pending(self, limit: int, *, up_to: int | None = None) -> list[Event]:
        if up_to is not None:
            rows = self._connection.execute(_PENDING_UP_TO, {"limit": limit, "last": up_to})
            return sorted(map(event_of, rows), key=_number)
        found = self._connection.execute(_PENDING, {"limit": limit}).all()
        chosen = chosen_of([event_of(row) for row in found])
        is_all = len(chosen) < limit and len(chosen) == len(found)
        if not found or (is_all and not found[0].there_are_imports):
            return in_order(chosen, (), limit)
        records = by_entity(event.ref for event in chosen if event.ref)
        of_records = [
            event
            for entity, numbers in records.items()
            for event in self._found(_OF_RECORDS, numbers, entity=entity)
        ]
        return in_order(chosen, of_records, limit)

    def _found(self, query: Select[Any], ids: Collection[int], **values: Any) -> Iterator[Event]:
        for some in portions(sorted(ids)):
            yield from map(event_of, self._connection.execute(query, {"ids": some, **values}))

    def take_up(self, limit: int) -> list[Event]:
        events = self.pending(limit)
        if new := [event.id for event in events if not event.dispatch]:
            for some in portions(new):
                self._connection.execute(_TAKE_UP, {"ids": some})
        unit = self.units() if new else 0
        return [replace(event, dispatch=event.dispatch or unit) for event in events]

    def oldest_pending(self) -> datetime | None:
        found = [
            self._connection.execute(_OLDEST, {"is_bulk": is_bulk}).scalar() for is_bulk in (False, True)
        ]
        return min((at for at in found if at), default=None)

    def units(self) -> int:
        return self._connection.execute(_UNITS).scalar() or 0

    def dispatched(self, events: Collection[int], at: datetime) -> None:
        for some in portions(events):
            self._connection.execute(_DISPATCHED, {"ids": some, "now": at})


def chosen_of(events: Sequence[Event]) -> list[Event]:
    """Of those that could be dispatched now, the urgent ones first: not too many that are bulk."""
    bulk = [event for event in events if event.bulk]
    return [*(event for event in events if not event.bulk), *bulk[:MOST_BULK]]


def in_order(chosen: Sequence[Event], of_records: Sequence[Event], limit: int) -> list[Event]:
    """At most so many of the chosen ones, each with all older ones of its record, which are among `of_records`, in the order
    of their numbers. What is older than an urgent one of its record is urgent, too."""
    newest, hurried = _newest(chosen), _newest(event for event in chosen if not event.bulk)
    all_of_them = {event.id: event for event in of_records if event.ref and event.id <= newest[event.ref]}
    all_of_them |= {event.id: event for event in chosen}
    urgent, bulk = [], []
    for event in sorted(all_of_them.values(), key=_number):
        if event.bulk and not (event.ref and event.id <= hurried.get(event.ref, 0)):
            bulk.append(event)
        else:
            urgent.append(replace(event, bulk=False))
    few = urgent[:limit]
    return sorted([*few, *bulk[: limit - len(few)]], key=_number)


def by_entity(refs: Iterable[Ref]) -> dict[str, set[int]]:
    found: dict[str, set[int]] = defaultdict(set)
    for ref in refs:
        found[ref.entity].add(ref.id)
    return found


def _newest(events: Iterable[Event]) -> dict[Ref, int]:
    found: dict[Ref, int] = {}
    for event in events:
        if event.ref:
            found[event.ref] = max(event.id, found.get(event.ref, 0))
    return found


def _number(event: Event) -> int:
    return event.id


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
        "bulk": event.bulk,
        "import_id": 0,
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
        bulk=row.bulk,
    )
