"""Start instances by `mode`. The unique constraints of `instance` decide: one live instance per key, one start per event."""

import hashlib
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import bindparam, null, select, text, update

from crm import ids
from crm import journal as j
from crm.cancelling import cancel_mails
from crm.dialects import Upsert
from crm.parameters import IDS, NOW, portions
from crm.part import Part
from procession.ports import Start

SUPERSEDED = "superseded"
"""The result of an instance that `restart` cancelled."""

_LOCK = text("SELECT pg_advisory_xact_lock(20471105)")
"""Starts on PostgreSQL go one unit after the other: a restart must see the instance it supersedes."""

_INSERT = Upsert(j.instance)
_EVENTS = select(j.event.c.id, j.event.c.at).where(j.event.c.id.in_(IDS))
_STARTED = select(j.instance.c.process, j.instance.c.trigger_id, j.instance.c.event_id).where(
    j.instance.c.event_id.in_(IDS)
)
_BORN = select(j.instance.c.id).where(j.instance.c.id.in_(IDS))
_LIVE = j.instance.c.live_key.in_(bindparam("keys", expanding=True))
_HOLDERS = (
    select(j.instance.c.live_key, j.instance.c.event_id)
    .where(_LIVE)
    .order_by(j.instance.c.id)
    .with_for_update()
)
"""Locked, so that none of them is claimed or ended while it is decided what becomes of it."""
_STOP_RUNNING = (
    update(j.instance)
    .where(_LIVE, text("instance.state = 'running'"))
    .values(live_key=null(), stop_requested=SUPERSEDED, stop_requested_at=NOW)
)
_CANCEL_WAITING = (
    update(j.instance)
    .where(_LIVE)
    .values(live_key=null(), state="cancelled", result=SUPERSEDED, ended_at=NOW)
    .returning(j.instance.c.id)
)


class Starts(Part):
    """See `procession.ports.Journal`."""

    def start(self, starts: Sequence[Start], now: datetime) -> list[int | None]:
        """An instance that is born as an incident holds no key: it cannot be in the way of others, nor they
        in its. Of several restarts of one key in one call, the last one lives."""
        if not starts:
            return []
        if self._connection.dialect.name == "postgresql":
            self._connection.execute(_LOCK)
        event_ids = {start.event_id for start in starts if start.event_id is not None}
        fresh = self._not_outdated(starts, self._not_started(starts, event_ids))
        self._supersede({key for i in fresh if starts[i].mode == "restart" and (key := _key(starts[i]))}, now)
        numbers = dict(zip(fresh, ids.take(self._connection, j.instance, len(fresh)), strict=True))
        self._insert(starts, numbers, self._moments(event_ids), now)
        born = self._born(numbers.values())
        return [numbers[i] if numbers.get(i) in born else None for i in range(len(starts))]

    def _not_started(self, starts: Sequence[Start], event_ids: Collection[int]) -> list[int]:
        """Which of the starts (by place) no event has made already."""
        made: set[tuple[str, str, int]] = {
            (row.process, row.trigger_id, row.event_id)
            for some in portions(event_ids)
            for row in self._connection.execute(_STARTED, {"ids": some})
        }
        fresh = []
        for i, start in enumerate(starts):
            if start.event_id is not None:
                cause = (start.process, _trigger_id(start), start.event_id)
                if cause in made:
                    continue
                made.add(cause)
            fresh.append(i)
        return fresh

    def _not_outdated(self, starts: Sequence[Start], fresh: list[int]) -> list[int]:
        """Without restarts by an event that is older than what lives: of engines that dispatch side by side,
        one may come late."""
        keys = {key for i in fresh if starts[i].mode == "restart" and (key := _key(starts[i]))}
        newest: dict[str, int] = {
            row.live_key: row.event_id or 0
            for some in portions(keys)
            for row in self._connection.execute(_HOLDERS, {"keys": some})
        }

        def is_outdated(start: Start) -> bool:
            made_by = newest.get(_key(start) or "", 0)
            return start.mode == "restart" and start.event_id is not None and start.event_id < made_by

        return [i for i in fresh if not is_outdated(starts[i])]

    def _supersede(self, keys: Collection[str], now: datetime) -> None:
        for some in portions(keys):
            self._connection.execute(_STOP_RUNNING, {"keys": some, "now": now})
            cancelled = self._connection.execute(_CANCEL_WAITING, {"keys": some, "now": now}).scalars()
            cancel_mails(self._connection, cancelled.all(), SUPERSEDED)

    def _moments(self, event_ids: Collection[int]) -> dict[int, datetime]:
        return {
            row.id: row.at
            for some in portions(event_ids)
            for row in self._connection.execute(_EVENTS, {"ids": some})
        }

    def _insert(
        self,
        starts: Sequence[Start],
        numbers: Mapping[int, int],
        moments: Mapping[int, datetime],
        now: datetime,
    ) -> None:
        last_restart = {_key(starts[i]): i for i in numbers if starts[i].mode == "restart"}
        rows = []
        for i, number in numbers.items():
            start, key = starts[i], _key(starts[i])
            row = _row(start, number, now) | {"live_key": key, "event_at": moments.get(start.event_id or 0)}
            if key and i < last_restart.get(key, 0):
                row |= {"live_key": None, "state": "cancelled", "result": SUPERSEDED, "ended_at": now}
            rows.append(row)
        if rows:
            self._connection.execute(_INSERT.on(self._connection), rows)

    def _born(self, numbers: Iterable[int]) -> set[int]:
        return {
            number
            for some in portions(numbers)
            for number in self._connection.execute(_BORN, {"ids": some}).scalars()
        }


def _key(start: Start) -> str | None:
    """What it holds while it lives; None if it holds nothing."""
    if start.mode == "parallel" or start.error:
        return None
    return hashlib.sha256(f"{start.process}\0{start.key}".encode()).hexdigest()


def _trigger_id(start: Start) -> str:
    return str(start.trigger.get("id", ""))


def _row(start: Start, number: int, now: datetime) -> dict[str, Any]:
    return {
        "id": number,
        "process": start.process,
        "digest": start.digest,
        "title": start.title,
        "key": start.key,
        "state": "incident" if start.error else "ready",
        "inputs": start.inputs,
        "trigger": start.trigger,
        "trigger_id": _trigger_id(start),
        "event_id": start.event_id,
        "error": start.error,
        "started_at": now,
        "due": now,
        "ended_at": None,
        "result": "",
        "flow_run_id": "",
        "lease_owner": "",
        "claim": 0,
    }
