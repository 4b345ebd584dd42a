"""Which waits an event is for, and which events came before a wait was kept. See `procession.correlation`.

An event that many wait for is handed to them in portions; how far it came is kept with it (`event.correlated`), by the
numbers of the waits, so that no portion looks at those before it again.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, bindparam, select, update

from crm import journal as j
from crm.events import event_of
from crm.looking_back import Seeker, came_before, sought_of
from crm.reading import fetch
from crm.searching import find
from crm.statements import IDS, Upsert, portions
from procession.ports import Correlation, Event
from procession.records import Record, Ref

ALL = 2**62
"""How far an event came that was handed to all who waited."""
MOST_RECORDS = 1_000_000

_S, _W, _I, _E, _A = j.subscription.c, j.wait.c, j.instance.c, j.event.c, j.arrived_event.c
_AWAITED = select(_S.wait_id).where(_S.kind == bindparam("kind")).limit(1)
_SEEKING = (
    select(_S.wait_id, _S.key, _I.process, _I.key.label("instance_key"))
    .join_from(j.subscription, j.wait, _W.id == _S.wait_id)
    .join(j.instance, _I.id == _W.instance_id)
    .where(
        _S.kind.in_(bindparam("kinds", expanding=True)),
        _S.key.in_(bindparam("keys", expanding=True)),
        _S.wait_id > bindparam("after"),
        _W.as_of < bindparam("dispatch"),
    )
    .order_by(_S.wait_id)
    .limit(bindparam("limit"))
)
_REACHED = select(_E.id, _E.correlated).where(_E.id.in_(IDS))
_REACH = update(j.event).where(_E.id == bindparam("number")).values(correlated=bindparam("reached"))
_ARRIVE = Upsert(j.arrived_event)
_ARRIVED = (
    select(_W.instance_id, _W.scope, j.event)
    .join_from(j.wait, j.arrived_event, _A.wait_id == _W.id)
    .join(j.event, _E.id == _A.event_id)
    .where(_W.instance_id.in_(IDS))
    .order_by(_E.id)
)
_CONSUME = Upsert(j.consumed_event)
_CONSUMED = select(j.consumed_event).where(j.consumed_event.c.instance_id.in_(IDS))
_SUBSCRIPTIONS = select(j.subscription).where(_S.wait_id.in_(IDS))
_BEGAN = select(_I.id, _I.event_id).where(_I.id.in_(IDS))
_TAKEN_UP = select(j.event).where(_E.dispatch.is_not(None)).order_by(_E.id)
_OF_RECORDS = _TAKEN_UP.where(
    _E.entity == bindparam("entity"),
    _E.record_id.in_(bindparam("records", expanding=True)),
    _E.id > bindparam("after"),
)
_OF_KIND = _TAKEN_UP.where(
    _E.entity == bindparam("entity"), _E.type == bindparam("type"), _E.id > bindparam("after")
)
_NAMED = _TAKEN_UP.where(
    _E.name == bindparam("name"), _E.type == bindparam("type"), _E.id > bindparam("after")
)


def awaited(connection: Connection, kinds: Collection[str]) -> set[str]:
    return {kind for kind in kinds if connection.execute(_AWAITED, {"kind": kind}).first()}


def correlate(connection: Connection, correlations: Sequence[Correlation], limit: int) -> set[int]:
    """Hand events to waits, `limit` times at most; returns the waits. (One whose instance is about to be replaced gets
    nothing: that it is woken is no harm.)"""
    numbers = [one.event.id for one in correlations]
    reached = {
        row.id: row.correlated
        for some in portions(numbers)
        for row in connection.execute(_REACHED, {"ids": some})
    }
    waits: set[int] = set()
    left, further = limit, []
    for one in sorted(correlations, key=lambda one: one.event.id):
        if left and reached[one.event.id] < ALL:
            found, reaches = _handed(connection, one, reached[one.event.id], left)
            waits |= found
            left -= len(found)
            further.append({"number": one.event.id, "reached": reaches})
    if not left:  # or they are all dispatched by now, and nobody asks
        connection.execute(_REACH, further)
    return waits


def _handed(connection: Connection, one: Correlation, after: int, limit: int) -> tuple[set[int], int]:
    asked = {
        "kinds": sorted(one.kinds),
        "keys": sorted(one.keys),
        "after": after,
        "dispatch": one.event.dispatch,
        "limit": limit,
    }
    rows = connection.execute(_SEEKING, asked).all()
    waits = {row.wait_id for row in rows}
    taken_away = {row.wait_id for row in rows if (row.process, row.instance_key) in one.superseding}
    _arrive(connection, ((wait, one.event.id) for wait in sorted(waits - taken_away)))
    return waits, ALL if len(rows) < limit else rows[-1].wait_id


def _arrive(connection: Connection, pairs: Iterable[tuple[int, int]]) -> None:
    if rows := [{"wait_id": wait, "event_id": event} for wait, event in pairs]:
        connection.execute(_ARRIVE.on(connection), rows)


def arrived(connection: Connection, instances: Collection[int]) -> dict[tuple[int, int], tuple[Event, ...]]:
    found: dict[tuple[int, int], list[Event]] = defaultdict(list)
    for some in portions(instances):
        for row in connection.execute(_ARRIVED, {"ids": some}):
            found[row.instance_id, row.scope].append(event_of(row))
    return {key: tuple(events) for key, events in found.items()}


def consume(connection: Connection, events: Collection[tuple[int, int]]) -> None:
    if rows := [{"instance_id": instance, "event_id": event} for instance, event in sorted(events)]:
        connection.execute(_CONSUME.on(connection), rows)


# --- what came before


def look_back(connection: Connection, waits: Mapping[int, Any]) -> set[int]:
    """The waits (their rows, by number) for which something came before they were kept; it has arrived now."""
    if not waits:
        return set()
    instances = sorted({row.instance_id for row in waits.values()})
    began = {
        row.id: row.event_id or 0
        for some in portions(instances)
        for row in connection.execute(_BEGAN, {"ids": some})
    }
    consumed = {
        (row.instance_id, row.event_id)
        for some in portions(instances)
        for row in connection.execute(_CONSUMED, {"ids": some})
    }
    seekers = [
        Seeker(
            row.wait_id,
            waits[row.wait_id].instance_id,
            sought_of(row),
            waits[row.wait_id].as_of,
            began[waits[row.wait_id].instance_id],
        )
        for some in portions(waits)
        for row in connection.execute(_SUBSCRIPTIONS, {"ids": some})
    ]
    pairs = came_before(seekers, consumed, _Log(connection))
    _arrive(connection, pairs)
    return {wait for wait, _ in pairs}


@dataclass(frozen=True, slots=True)
class _Log:
    """Implements `crm.looking_back.Log`."""

    connection: Connection

    def of_records(self, entity: str, numbers: Collection[int], after: int) -> list[Event]:
        return [
            event_of(row)
            for some in portions(sorted(numbers))
            for row in self.connection.execute(
                _OF_RECORDS, {"entity": entity, "records": some, "after": after}
            )
        ]

    def of_kind(self, entity: str, type: str, after: int) -> list[Event]:  # noqa: A002  # a column's name
        rows = self.connection.execute(_OF_KIND, {"entity": entity, "type": type, "after": after})
        return list(map(event_of, rows))

    def named(self, type: str, name: str, after: int) -> list[Event]:  # noqa: A002  # a column's name
        rows = self.connection.execute(_NAMED, {"name": name, "type": type, "after": after})
        return list(map(event_of, rows))

    def referring(self, entity: str, field: str, refs: Collection[Ref]) -> list[Record]:
        return find(self.connection, entity, {field: tuple(refs)}, "", MOST_RECORDS)

    def fetch(self, refs: Collection[Ref]) -> Mapping[Ref, Record]:
        return fetch(self.connection, refs, frozenset())
