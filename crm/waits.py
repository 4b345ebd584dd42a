"""What instances wait for: a row for each wait, until it is over.

Whoever wakes a wait locks its instance first, as those do that end a segment: so neither misses what the other did.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Select, and_, bindparam, delete, exists, insert, or_, select, text, tuple_, update

from crm import journal as j
from crm.correlations import NEVER, arrive, arrived, awaited, came_for, consume, sought_by
from crm.looking_back import sought_of
from crm.statements import IDS, NOW, Part, portions, take_numbers
from procession.ports import ANY_FIELD, Correlation, Event, Sought, Wait
from procession.records import Ref

NO_UNIT = 2**62
"""Of an event that no planner took up: it concerns every wait."""

_W, _R, _E, _S, _A = j.wait.c, j.wait_read.c, j.event.c, j.subscription.c, j.arrived_event.c
_INSERT, _INSERT_READ, _SUBSCRIBE = insert(j.wait), insert(j.wait_read), insert(j.subscription)
_ASLEEP = text("wait.woken_at IS NULL")
_OF = select(j.wait).where(_W.instance_id.in_(IDS)).order_by(_W.woken_at.nulls_last(), _W.id)
_READS = select(j.wait_read).where(_R.wait_id.in_(IDS)).order_by(_R.entity, _R.record_id, _R.field)
_SUBSCRIPTIONS = select(j.subscription).where(_S.wait_id.in_(IDS)).order_by(_S.kind, _S.key)
_LONGEST = select(j.wait).where(_ASLEEP).order_by(_W.since, _W.id).limit(bindparam("limit"))
_THESE = tuple_(_W.instance_id, _W.scope).in_(bindparam("waits", expanding=True))
_DROP = delete(j.wait).where(_THESE)
_FOR_EVENTS = select(j.wait).where(_THESE, text("wait.kind = 'event'"))
_RENEW = (
    update(j.wait)
    .where(_W.id == bindparam("number"))
    .values(
        due=bindparam("new_due", type_=_W.due.type), expires=bindparam("new_expires", type_=_W.due.type),
        as_of=bindparam("new_as_of"), is_new=bindparam("new"), woken_at=None, hastened=False,
    )
)  # fmt: skip
_UNSUBSCRIBE = delete(j.subscription).where(_S.wait_id.in_(IDS))
_JUDGE = (
    update(j.arrived_event)
    .where(_A.wait_id == bindparam("number"), _A.event_id == bindparam("judged_event"))
    .values(judged=True)
)
_WAKE_AGAIN = (
    update(j.wait)
    .where(_W.id.in_(IDS), exists().where(_A.wait_id == _W.id, ~_A.judged))
    .values(woken_at=_W.since)
)
"""What came while its step looked at what had come before."""
_STILL_NEW = (
    update(j.wait).where(_W.id.in_(IDS), exists().where(_S.wait_id == _W.id, _S.is_new)).values(is_new=True)
)
FORGET_WAITS = delete(j.wait).where(_W.instance_id.in_(IDS))


def _locked(query: Select[Any]) -> Select[Any]:
    """The instances of waits; who writes for one of them just now keeps it, and it is woken next time."""
    instance = j.instance.c
    return (
        select(instance.id)
        .where(instance.id.in_(query))
        .order_by(instance.id)
        .with_for_update(skip_locked=True, of=j.instance)
    )


_DUE = (
    _ASLEEP,
    _W.due <= NOW,
    or_(text("wait.kind != 'event'"), and_(~_W.is_new, _W.due < bindparam("unseen", type_=_W.due.type))),
)
_LOCK_DUE = _locked(select(_W.instance_id).where(*_DUE).order_by(_W.due, _W.id).limit(bindparam("limit")))
_WAKE_DUE = update(j.wait).where(_W.instance_id.in_(IDS), *_DUE).values(woken_at=NOW).returning(_W.id)
_READING = (
    select(_W.id)
    .distinct()
    .join_from(j.wait_read, j.wait)
    .where(_R.entity == bindparam("entity"), _ASLEEP, _W.as_of < bindparam("unit"))
    .limit(bindparam("limit"))
)
_READING_FIELD = _READING.where(tuple_(_R.record_id, _R.field).in_(bindparam("changed", expanding=True)))
_READING_RECORD = _READING.where(_R.record_id.in_(bindparam("deleted", expanding=True)))
_FORGET_READS = delete(j.wait_read).where(_R.wait_id.in_(IDS))
_INSTANCES = select(_W.instance_id).where(_W.id.in_(IDS))
_LOCK = select(j.instance.c.id).where(j.instance.c.id.in_(IDS)).order_by(j.instance.c.id).with_for_update()
_THERE = select(_W.id).where(_W.id.in_(IDS))
_HOLD = (
    update(j.instance)
    .where(j.instance.c.id == bindparam("number"), text("instance.state IN ('ready', 'waiting')"))
    .values(state="incident", error=bindparam("told", type_=j.instance.c.error.type))
)
_WAKE = update(j.wait).where(_W.id.in_(IDS), _ASLEEP).values(woken_at=NOW).returning(_W.id)
_HASTEN = update(j.wait).where(_W.id.in_(IDS)).values(hastened=True)
_NEW = select(j.wait).where(text("wait.is_new")).order_by(_W.id).limit(bindparam("limit"))
_SINCE = (
    select(_R.wait_id, _R.field, _E.type, _E.changed)
    .join_from(j.wait_read, j.wait)
    .join(j.event, and_(_E.entity == _R.entity, _E.record_id == _R.record_id))
    .where(_W.id.in_(IDS), _E.dispatch > _W.as_of)
)
_LOOKED_BACK = update(j.wait).where(_W.id.in_(IDS)).values(is_new=False)
_AT_STEP = select(_W.id).where(
    _W.instance_id == bindparam("number"), _W.path == bindparam("path"), _W.round == bindparam("round")
)
_GO_ON = (
    update(j.instance)
    .where(j.instance.c.id.in_(IDS), text("instance.state = 'waiting'"))
    .values(state="ready")
)


class Waits(Part):
    """See `procession.ports.Journal`."""

    def waits(self, instances: Collection[int]) -> dict[int, tuple[Wait, ...]]:
        rows = [row for some in portions(instances) for row in self._connection.execute(_OF, {"ids": some})]
        live = [row.id for row in rows if row.kind in ("timer", "event")]
        reads: dict[int, list[tuple[Ref, str]]] = defaultdict(list)
        for some in portions(live):
            for row in self._connection.execute(_READS, {"ids": some}):
                reads[row.wait_id].append((Ref(row.entity, row.record_id), row.field))
        sought = self._sought(row.id for row in rows if row.kind == "event")
        found: dict[int, list[Wait]] = defaultdict(list)
        for row in rows:
            found[row.instance_id].append(wait_of(row, tuple(reads[row.id]), sought[row.id]))
        return {number: tuple(waits) for number, waits in found.items()}

    def longest_waits(self, limit: int) -> list[Wait]:
        rows = self._connection.execute(_LONGEST, {"limit": limit}).all()
        sought = self._sought(row.id for row in rows if row.kind == "event")
        return [wait_of(row, (), sought[row.id]) for row in rows]

    def _sought(self, waits: Iterable[int]) -> Mapping[int, tuple[Sought, ...]]:
        found: dict[int, tuple[Sought, ...]] = defaultdict(tuple)
        for some in portions(waits):
            for row in self._connection.execute(_SUBSCRIPTIONS, {"ids": some}):
                found[row.wait_id] += (sought_of(row),)
        return found

    def save_waits(self, waits: Sequence[Wait]) -> None:
        if not waits:
            return
        there = self._going_on([wait for wait in waits if wait.kind == "event"])
        others = [wait for wait in waits if (wait.instance, wait.scope) not in there]
        for some in portions((wait.instance, wait.scope) for wait in others):
            self._connection.execute(_DROP, {"waits": some})
        numbers = take_numbers(self._connection, j.wait, len(others))
        rows = [row_of(wait) | {"id": number} for number, wait in zip(numbers, others, strict=True)]
        if rows:
            self._connection.execute(_INSERT, rows)
        self._go_on([(there[key], wait) for wait in waits if (key := (wait.instance, wait.scope)) in there])
        of_all = {
            (wait.instance, wait.scope): number for number, wait in zip(numbers, others, strict=True)
        } | there
        reads = [
            {
                "wait_id": of_all[wait.instance, wait.scope],
                "entity": ref.entity,
                "record_id": ref.id,
                "field": field,
            }
            for wait in waits
            for ref, field in wait.reads
        ]
        if reads:
            self._connection.execute(_INSERT_READ, reads)
        sought = [
            row for number, wait in zip(numbers, others, strict=True) for row in rows_of_sought(number, wait)
        ]
        if sought:
            self._connection.execute(_SUBSCRIBE, sought)

    def _going_on(self, waits: Sequence[Wait]) -> dict[tuple[int, int], int]:
        """`{(instance, scope): number}` of those that wait for events at the same step already."""
        places = {(wait.instance, wait.scope): (wait.path, wait.round) for wait in waits}
        return {
            (row.instance_id, row.scope): row.id
            for some in portions(places)
            for row in self._connection.execute(_FOR_EVENTS, {"waits": some})
            if places[row.instance_id, row.scope] == (row.path, row.round)
        }

    def _go_on(self, waits: Sequence[tuple[int, Wait]]) -> None:
        if not waits:
            return
        numbers = [number for number, _ in waits]
        before = self._sought(numbers)
        for some in portions(numbers):
            self._connection.execute(_FORGET_READS, {"ids": some})
        changed = [
            (number, wait) for number, wait in waits if keys_of(before[number]) != keys_of(wait.sought)
        ]
        rows = [_renewed(number, wait) | {"new": bool(wait.reads)} for number, wait in waits]
        self._connection.execute(_RENEW, rows)
        for some in portions(number for number, _ in changed):
            self._connection.execute(_UNSUBSCRIBE, {"ids": some})
        if sought := [row for number, wait in changed for row in rows_of_sought(number, wait)]:
            self._connection.execute(_SUBSCRIBE, sought)
        if judged := [
            {"number": number, "judged_event": event} for number, wait in waits for event in wait.judged
        ]:
            self._connection.execute(_JUDGE, judged)
        for some in portions(numbers):
            self._connection.execute(_WAKE_AGAIN, {"ids": some})
            self._connection.execute(_STILL_NEW, {"ids": some})

    def drop_waits(self, waits: Collection[tuple[int, int]]) -> None:
        for some in portions(sorted(waits)):
            self._connection.execute(_DROP, {"waits": some})

    def wake_due(self, now: datetime, limit: int, *, unseen: datetime | None = None) -> int:
        values = {"now": now, "limit": limit, "unseen": unseen or NEVER}
        instances = self._connection.execute(_LOCK_DUE, values).scalars().all()
        if not instances:
            return 0
        woken = self._connection.execute(_WAKE_DUE, {**values, "ids": instances}).scalars().all()
        self._connection.execute(_GO_ON, {"ids": instances})
        return len(woken)

    def wake_by(self, events: Sequence[Event], now: datetime, limit: int) -> int:
        """What is woken reads no more: so the next portion does not meet it again."""
        waits: set[int] = set()
        for unit, entity, changed, deleted in touched_by(events):
            values = {"unit": unit, "entity": entity, "limit": limit}
            for fields in portions(changed):
                waits.update(
                    self._connection.execute(_READING_FIELD, {**values, "changed": fields}).scalars()
                )
            for numbers in portions(deleted):
                waits.update(
                    self._connection.execute(_READING_RECORD, {**values, "deleted": numbers}).scalars()
                )
        chosen = sorted(waits)[:limit]
        self._wake(chosen, now)
        for some in portions(chosen):
            self._connection.execute(_FORGET_READS, {"ids": some})
        return len(chosen)

    def wake(
        self, instance: int, path: str, round: str, now: datetime, *, hasten: bool = False  # noqa: A002  # a column's name
    ) -> bool:  # fmt: skip
        asked = {"number": instance, "path": path, "round": round}
        waits = self._connection.execute(_AT_STEP, asked).scalars().all()
        woken = self._wake(waits, now) > 0
        if hasten:
            self._connection.execute(_HASTEN, {"ids": waits})
        return woken

    def look_back(self, now: datetime, limit: int) -> int:
        new = self._connection.execute(_NEW, {"limit": limit}).all()
        for some in portions(row.id for row in new):
            there = self._with_instances_locked(some)
            rows = self._connection.execute(_SINCE, {"ids": sorted(there)}).all()
            touched = {row.wait_id for row in rows if is_touched(row.field, row.type, row.changed or ())}
            pairs = came_for(
                self._connection, {row.id: row for row in new if row.kind == "event" and row.id in there}
            )
            arrive(self._connection, pairs, again=True)
            self._wake(touched | {wait for wait, _ in pairs}, now)
            self._connection.execute(_LOOKED_BACK, {"ids": some})
        return len(new)

    def awaited(self, kinds: Collection[str]) -> set[str]:
        return awaited(self._connection, kinds)

    def give_up_looking_back(self, error: Mapping[str, Any]) -> None:
        for row in self._connection.execute(_NEW, {"limit": 1}).all():
            self._with_instances_locked([row.id])
            self._connection.execute(_LOOKED_BACK, {"ids": [row.id]})
            self._connection.execute(_HOLD, {"number": row.instance_id, "told": error})

    def correlate(self, correlations: Sequence[Correlation], now: datetime, limit: int) -> set[int]:
        pairs, unfinished = sought_by(self._connection, correlations, limit)
        there = self._with_instances_locked({wait for wait, _ in pairs})
        arrive(self._connection, ((wait, event) for wait, event in pairs if wait in there))
        self._wake(there, now)
        return unfinished

    def arrived(self, instances: Collection[int]) -> dict[tuple[int, int], tuple[Event, ...]]:
        return arrived(self._connection, instances)

    def consume(self, events: Collection[tuple[int, int]]) -> None:
        consume(self._connection, events)

    def _with_instances_locked(self, waits: Collection[int]) -> set[int]:
        """Lock the instances of these waits; returns the waits that are there still."""
        instances = self._instances(waits)
        for some in portions(sorted(instances)):
            self._connection.execute(_LOCK, {"ids": some})
        return {
            number
            for some in portions(waits)
            for number in self._connection.execute(_THERE, {"ids": some}).scalars()
        }

    def _instances(self, waits: Collection[int]) -> set[int]:
        return {
            number
            for some in portions(waits)
            for number in self._connection.execute(_INSTANCES, {"ids": some}).scalars()
        }

    def _wake(self, waits: Collection[int], now: datetime) -> int:
        instances = self._instances(waits)
        for some in portions(sorted(instances)):
            self._connection.execute(_LOCK, {"ids": some})
        woken = [
            number
            for some in portions(waits)
            for number in self._connection.execute(_WAKE, {"ids": some, "now": now}).scalars()
        ]
        for some in portions(sorted(instances)):
            self._connection.execute(_GO_ON, {"ids": some})
        return len(woken)


def touched_by(events: Sequence[Event]) -> list[tuple[int, str, list[tuple[int, str]], list[int]]]:
    """`(unit that took them up, entity, fields of its records that were changed, records that were deleted)`."""
    changed: dict[tuple[int, str], set[tuple[int, str]]] = defaultdict(set)
    deleted: dict[tuple[int, str], set[int]] = defaultdict(set)
    for ref, event in ((event.ref, event) for event in events if event.ref):
        key = (event.dispatch or NO_UNIT, ref.entity)
        if event.type == "deleted":
            deleted[key].add(ref.id)
        if event.changed:
            changed[key] |= {(ref.id, name) for name in (*event.changed, ANY_FIELD)}
    return [
        (*key, sorted(changed[key]), sorted(deleted[key])) for key in sorted(changed.keys() | deleted.keys())
    ]


def is_touched(field: str, event: str, changed: Collection[str]) -> bool:
    return event == "deleted" or field in changed or (field == ANY_FIELD and bool(changed))


def row_of(wait: Wait) -> dict[str, Any]:
    return {
        "instance_id": wait.instance,
        "scope": wait.scope,
        "path": wait.path,
        "round": wait.round,
        "kind": wait.kind,
        "since": wait.since,
        "due": wait.due,
        "woken_at": wait.woken_at,
        "hastened": wait.hastened,
        "expires": wait.expires,
        "is_new": bool(wait.reads or wait.sought),
        "as_of": wait.as_of,
    }


def _renewed(number: int, wait: Wait) -> dict[str, Any]:
    return {"number": number, "new_due": wait.due, "new_expires": wait.expires, "new_as_of": wait.as_of}


def keys_of(sought: Iterable[Sought]) -> set[tuple[str, str]]:
    return {(one.kind, one.key) for one in sought}


def rows_of_sought(number: int, wait: Wait) -> list[dict[str, Any]]:
    return [
        {
            "wait_id": number, "kind": one.kind, "key": one.key, "since": one.since, "since_began": one.since_began,
            "as_of": wait.as_of, "is_new": True,
        }
        for one in wait.sought
    ]  # fmt: skip


def wait_of(row: Any, reads: tuple[tuple[Ref, str], ...] = (), sought: tuple[Sought, ...] = ()) -> Wait:
    return Wait(
        instance=row.instance_id,
        scope=row.scope,
        path=row.path,
        round=row.round,
        kind=row.kind,
        since=row.since,
        due=row.due,
        expires=row.expires,
        reads=reads,
        sought=sought,
        woken_at=row.woken_at,
        hastened=row.hastened,
        as_of=row.as_of,
        is_new=row.is_new,
    )
