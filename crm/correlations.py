"""Which waits an event is for, and which events came before a wait was kept. See `procession.correlation`.

An event that many wait for is handed to them in portions; how far it came is kept with it (`event.correlated`), by the
numbers of the waits, so that no portion looks at those before it again.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection, and_, bindparam, exists, func, or_, select, text, update

from crm import journal as j
from crm.events import event_of
from crm.looking_back import FEW, Seeker, Window, came_before, sought_of
from crm.reading import fetch
from crm.searching import find
from crm.statements import IDS, Upsert, portions
from procession.ports import Correlation, Event
from procession.records import Record, Ref

ALL = 2**62
"""How far an event came that was handed to all who waited."""
MOST_RECORDS = 1_000_000
NEVER = datetime(9999, 1, 1, tzinfo=UTC)

_S, _W, _I, _E = j.subscription.c, j.wait.c, j.instance.c, j.event.c
_A, _C = j.arrived_event.c, j.consumed_event.c
_AWAITED = select(_S.wait_id).where(_S.kind == bindparam("kind")).limit(1)
_SEEKING = (
    select(_S.wait_id, _I.process, _I.key)
    .distinct()
    .join_from(j.subscription, j.wait, _W.id == _S.wait_id)
    .join(j.instance, _I.id == _W.instance_id)
    .where(
        _S.kind.in_(bindparam("kinds", expanding=True)),
        _S.key.in_(bindparam("keys", expanding=True)),
        _S.wait_id > bindparam("after"),
        _S.as_of < bindparam("dispatch"),
        ~exists().where(_C.instance_id == _W.instance_id, _C.event_id == bindparam("event")),
    )
    .order_by(_S.wait_id)
    .limit(bindparam("limit"))
)
_REACHED = select(_E.id, _E.correlated).where(_E.id.in_(IDS))
_REACH = update(j.event).where(_E.id == bindparam("number")).values(correlated=bindparam("reached"))
_ARRIVE = Upsert(j.arrived_event)
_ARRIVE_AGAIN = Upsert(j.arrived_event, unique=("wait_id", "event_id"), replaced=("judged",))
_ARRIVED = (
    select(_W.instance_id, _W.scope, j.event)
    .join_from(j.wait, j.arrived_event, _A.wait_id == _W.id)
    .join(j.event, _E.id == _A.event_id)
    .where(_W.instance_id.in_(IDS), ~_A.judged)
    .order_by(_E.id)
)
_CONSUME = Upsert(j.consumed_event)
_CONSUMED = select(j.consumed_event).where(j.consumed_event.c.instance_id.in_(IDS))
_NEW_SUBSCRIPTIONS = select(j.subscription).where(_S.wait_id.in_(IDS), _S.is_new)
_LOOKED_BACK = update(j.subscription).where(_S.wait_id.in_(IDS), _S.is_new).values(is_new=False)
_BEGAN = (
    select(_I.id, _E.id.label("event_id"), _E.dispatch)
    .join(j.event, _E.id == _I.event_id)
    .where(_I.id.in_(IDS))
)
_IN = _E.dispatch >= bindparam("unit")
_TAKEN_UP = (
    select(j.event)
    .where(or_(_IN, and_(_E.dispatch.is_not(None), _E.at >= bindparam("since", type_=_E.at.type))))
    .order_by(_E.id)
)
_OF_RECORDS = _TAKEN_UP.where(
    _E.entity == bindparam("entity"), _E.record_id.in_(bindparam("records", expanding=True))
)
_OF_KIND_SINCE = _TAKEN_UP.where(_E.entity == bindparam("entity"), _E.type == bindparam("type"))
_OF_KIND = (
    select(j.event).where(_IN, _E.entity == bindparam("entity"), _E.type == bindparam("type")).order_by(_E.id)
)
_NAMED = _TAKEN_UP.where(_E.name == bindparam("name"), text("event.name > ''"), _E.type == bindparam("type"))
_FEW = select(func.count()).select_from(select(_E.id).where(_IN).limit(FEW + 1).subquery())


def awaited(connection: Connection, kinds: Collection[str]) -> set[str]:
    return {kind for kind in kinds if connection.execute(_AWAITED, {"kind": kind}).first()}


def sought_by(
    connection: Connection, correlations: Sequence[Correlation], limit: int
) -> tuple[list[tuple[int, int]], set[int]]:
    """`(wait, event)` for those that seek these events, so many at most; and the events that more seek than that. How far each
    of them came is kept. One whose instance is about to be replaced gets nothing, and counts all the same."""
    numbers = [one.event.id for one in correlations]
    reached = {
        row.id: row.correlated
        for some in portions(numbers)
        for row in connection.execute(_REACHED, {"ids": some})
    }
    pairs: list[tuple[int, int]] = []
    further, left = [], limit
    for one in sorted(correlations, key=lambda one: one.event.id):
        if reached[one.event.id] == ALL or not left:
            continue
        rows = connection.execute(_SEEKING, _asked(one, reached[one.event.id], left)).all()
        pairs += [
            (row.wait_id, one.event.id) for row in rows if (row.process, row.key) not in one.superseding
        ]
        reached[one.event.id] = ALL if len(rows) < left else rows[-1].wait_id
        further.append({"number": one.event.id, "reached": reached[one.event.id]})
        left -= len(rows)
    unfinished = {number for number, reaches in reached.items() if reaches < ALL}
    if unfinished:  # or they are all dispatched by now, and nobody asks
        connection.execute(_REACH, further)
    return pairs, unfinished


def _asked(one: Correlation, after: int, limit: int) -> dict[str, Any]:
    return {
        "kinds": sorted(one.kinds), "keys": sorted(one.keys), "after": after, "dispatch": one.event.dispatch or ALL,
        "event": one.event.id, "limit": limit,
    }  # fmt: skip


def arrive(connection: Connection, pairs: Iterable[tuple[int, int]], *, again: bool = False) -> None:
    """`(wait, event)` of waits that are there, and whose instances are locked. `again`: also what was judged by what a wait sought
    before."""
    if rows := [{"wait_id": wait, "event_id": event, "judged": False} for wait, event in sorted(pairs)]:
        connection.execute((_ARRIVE_AGAIN if again else _ARRIVE).on(connection), rows)


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


def came_for(connection: Connection, waits: Mapping[int, Any]) -> set[tuple[int, int]]:
    """`(wait, event)` of what came before these waits (their rows, by number) were kept."""
    if not waits:
        return set()
    instances = sorted({row.instance_id for row in waits.values()})
    began = {row.id: row for some in portions(instances) for row in connection.execute(_BEGAN, {"ids": some})}
    consumed = {
        (row.instance_id, row.event_id)
        for some in portions(instances)
        for row in connection.execute(_CONSUMED, {"ids": some})
    }
    subscriptions = [
        row for some in portions(waits) for row in connection.execute(_NEW_SUBSCRIPTIONS, {"ids": some})
    ]
    seekers = [
        seeker_of(row, waits[row.wait_id], began.get(waits[row.wait_id].instance_id)) for row in subscriptions
    ]
    for some in portions(waits):
        connection.execute(_LOOKED_BACK, {"ids": some})
    return came_before(seekers, consumed, _Log(connection))


def seeker_of(subscription: Any, wait: Any, began: Any) -> Seeker:
    """`began` is the event that started the instance, its number as `event_id`; None if nobody knows that any more."""
    number, unit = (began.event_id, began.dispatch or 0) if began else (0, 0)
    return Seeker(wait.id, wait.instance_id, sought_of(subscription), subscription.as_of, number, unit)


@dataclass(frozen=True, slots=True)
class _Log:
    """Implements `crm.looking_back.Log`."""

    connection: Connection

    def few(self, window: Window) -> bool:
        return (self.connection.execute(_FEW, {"unit": window.unit}).scalar() or 0) <= FEW

    def of_records(self, entity: str, numbers: Collection[int], window: Window) -> list[Event]:
        asked = _bounds(window) | {"entity": entity}
        return [
            event_of(row)
            for some in portions(sorted(numbers))
            for row in self.connection.execute(_OF_RECORDS, asked | {"records": some})
        ]

    def of_kind(self, entity: str, type: str, window: Window) -> list[Event]:  # noqa: A002  # a column's name
        asked = {"entity": entity, "type": type}
        if window.since is None:
            return list(map(event_of, self.connection.execute(_OF_KIND, asked | {"unit": window.unit})))
        return list(map(event_of, self.connection.execute(_OF_KIND_SINCE, asked | _bounds(window))))

    def named(self, type: str, name: str, window: Window) -> list[Event]:  # noqa: A002  # a column's name
        rows = self.connection.execute(_NAMED, {"name": name, "type": type} | _bounds(window))
        return list(map(event_of, rows))

    def referring(self, entity: str, field: str, refs: Collection[Ref]) -> list[Record]:
        return find(self.connection, entity, {field: tuple(refs)}, "", MOST_RECORDS)

    def fetch(self, refs: Collection[Ref]) -> Mapping[Ref, Record]:
        return fetch(self.connection, refs, frozenset())


def _bounds(window: Window) -> dict[str, Any]:
    return {"unit": window.unit, "since": window.since or NEVER}
