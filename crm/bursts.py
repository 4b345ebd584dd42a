"""Bursts of saves that triggers wait out."""

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import bindparam, delete, select, tuple_

from crm import journal as j
from crm.statements import NOW, Part, Upsert, portions
from procession.ports import Burst, BurstKey
from procession.records import Ref

_B = j.burst.c
_KEY = ("process", "trigger", "entity", "record_id")
_THESE = tuple_(*(_B[name] for name in _KEY)).in_(bindparam("keys", expanding=True))
_OF = select(j.burst).where(_THESE)
_SAVE = Upsert(
    j.burst,
    unique=_KEY,
    replaced=("event", "at", "due", "was_added", "is_deleted", "changed", "payload", "bulk"),
)
_DUE = (
    select(j.burst)
    .where(_B.due <= NOW)
    .order_by(_B.due, _B.event, _B.process, _B.trigger)
    .limit(bindparam("limit"))
)
_DROP = delete(j.burst).where(_THESE)


class Bursts(Part):
    """See `procession.ports.Journal`."""

    def bursts(self, keys: Collection[BurstKey]) -> dict[BurstKey, Burst]:
        rows = [
            row
            for some in portions(map(columns_of, keys))
            for row in self._connection.execute(_OF, {"keys": some})
        ]
        return {burst.key: burst for burst in map(burst_of, rows)}

    def save_bursts(self, bursts: Sequence[Burst]) -> None:
        if bursts:
            self._connection.execute(_SAVE.on(self._connection), list(map(row_of, bursts)))

    def due_bursts(self, now: datetime, limit: int) -> list[Burst]:
        return list(map(burst_of, self._connection.execute(_DUE, {"now": now, "limit": limit})))

    def drop_bursts(self, keys: Collection[BurstKey]) -> None:
        for some in portions(map(columns_of, keys)):
            self._connection.execute(_DROP, {"keys": some})


def columns_of(key: BurstKey) -> tuple[str, str, str, int]:
    process, trigger, ref = key
    return process, trigger, ref.entity, ref.id


def row_of(burst: Burst) -> dict[str, Any]:
    return {
        **dict(zip(_KEY, columns_of(burst.key), strict=True)),
        "event": burst.event, "at": burst.at, "due": burst.due, "was_added": burst.was_added, "is_deleted": burst.is_deleted,
        "changed": burst.changed or None, "payload": burst.payload or None, "bulk": burst.bulk,
    }  # fmt: skip


def burst_of(row: Any) -> Burst:
    return Burst(
        row.process, row.trigger, Ref(row.entity, row.record_id), row.event, row.at, row.due, was_added=row.was_added,
        is_deleted=row.is_deleted, changed=tuple(row.changed or ()), payload=row.payload or {}, bulk=row.bulk,
    )  # fmt: skip
