"""Start instances by `mode`. The unique constraints of `instance` decide: one live instance per key, one start per event."""

import hashlib
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import and_, bindparam, null, select, text, true, update

from crm import journal as j
from crm.cancelling import cancel_mails
from crm.claims import forget_positions, take_turns_with_keys
from crm.events import by_entity
from crm.statements import IDS, NOW, Part, Upsert, portions, take_numbers, unindexed
from procession.ports import Start
from procession.records import Ref

SUPERSEDED = "superseded"
"""The result of an instance that `restart` cancelled."""

_INSERT = Upsert(j.instance, returning="id")
_STARTED = select(j.instance.c.process, j.instance.c.trigger_id, j.instance.c.event_id).where(
    j.instance.c.event_id.in_(IDS)
)
_LIVE = j.instance.c.live_key.in_(bindparam("keys", expanding=True))
_HOLDERS = (
    select(
        j.instance.c.id,
        j.instance.c.live_key,
        j.instance.c.event_id,
        j.instance.c.state,
        j.instance.c.after_id,
    )
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

_HURRIED = (
    select(j.instance.c.id)
    .join_from(j.event, j.instance, j.instance.c.event_id == j.event.c.id)
    .where(
        j.event.c.entity == bindparam("entity"),
        j.event.c.record_id.in_(IDS),
        unindexed(and_(j.instance.c.state == "ready", j.instance.c.bulk == true())),
    )
    .order_by(j.instance.c.id)
    .with_for_update(skip_locked=True, of=j.instance)  # who is claimed just now needs no hurry
    .cte("hurried")
)
_HURRY = update(j.instance).where(j.instance.c.id.in_(select(_HURRIED.c.id))).values(bulk=False)


class Starts(Part):
    """See `procession.ports.Journal`."""

    def start(self, starts: Sequence[Start], now: datetime) -> list[int | None]:
        """An instance that is born as an incident holds no key: it cannot be in the way of others, nor they
        in its. Of several restarts of one key in one call, the last one lives."""
        if not starts:
            return []
        take_turns_with_keys(self._connection)  # a restart must see the instance it supersedes
        holders = self._holders(
            {key for start in starts if start.mode == "restart" and (key := live_key(start))}
        )
        fresh = self._not_started(starts, ask=bool(holders))
        fresh = [i for i in fresh if not is_outdated(starts[i], holders)]
        restarted = {live_key(starts[i]) for i in fresh if starts[i].mode == "restart"}
        self._supersede(holders.keys() & restarted, now)
        numbers = dict(zip(fresh, take_numbers(self._connection, j.instance, len(fresh)), strict=True))
        before = {key: predecessor(holder) for key, holder in holders.items()}
        born = self._insert(starts, numbers, before, now)
        return [numbers[i] if numbers.get(i) in born else None for i in range(len(starts))]

    def hurry(self, refs: Collection[Ref]) -> None:
        for entity, numbers in sorted(by_entity(refs).items()):
            for some in portions(sorted(numbers)):
                self._connection.execute(_HURRY, {"entity": entity, "ids": some})

    def _not_started(self, starts: Sequence[Start], *, ask: bool) -> list[int]:
        """Which of the starts (by place) no event has made already. The database refuses a second one by itself; it is
        asked before one that would supersede what it made."""
        event_ids = {start.event_id for start in starts if start.event_id is not None and ask}
        made: set[tuple[str, str, int]] = {
            (row.process, row.trigger_id, row.event_id)
            for some in portions(event_ids)
            for row in self._connection.execute(_STARTED, {"ids": some})
        }
        fresh = []
        for i, start in enumerate(starts):
            if start.event_id is not None:
                cause = (start.process, trigger_id_of(start), start.event_id)
                if cause in made:
                    continue
                made.add(cause)
            fresh.append(i)
        return fresh

    def _holders(self, keys: Collection[str]) -> dict[str, Any]:
        """`{key: the live instance that has it}`."""
        return {
            row.live_key: row
            for some in portions(keys)
            for row in self._connection.execute(_HOLDERS, {"keys": some})
        }

    def _supersede(self, keys: Collection[str], now: datetime) -> None:
        for some in portions(keys):
            self._connection.execute(_STOP_RUNNING, {"keys": some, "now": now})
            cancelled = self._connection.execute(_CANCEL_WAITING, {"keys": some, "now": now}).scalars().all()
            cancel_mails(self._connection, cancelled, SUPERSEDED)
            forget_positions(self._connection, cancelled)

    def _insert(
        self,
        starts: Sequence[Start],
        numbers: Mapping[int, int],
        before: Mapping[str, int | None],
        now: datetime,
    ) -> set[int]:
        """Returns the numbers of those that no live one was in the way of."""
        last_restart = {live_key(starts[i]): i for i in numbers if starts[i].mode == "restart"}
        rows = []
        for i, number in numbers.items():
            start, key = starts[i], live_key(starts[i])
            row = row_of(start, number, now) | {"live_key": key, "after_id": before.get(key or "")}
            if key and i < last_restart.get(key, 0):
                row |= {"live_key": None, "state": "cancelled", "result": SUPERSEDED, "ended_at": now}
            rows.append(row)
        if not rows:
            return set()
        return set(self._connection.execute(_INSERT.on(self._connection), rows).scalars())


def is_outdated(start: Start, holders: Mapping[str, Any]) -> bool:
    """A restart by an event that is older than what lives: somebody started that by hand meanwhile."""
    holder = holders.get(live_key(start) or "")
    made_by = (holder.event_id or 0) if holder else 0
    return start.mode == "restart" and start.event_id is not None and start.event_id < made_by


def predecessor(holder: Any) -> int | None:
    """Who must have ended before a successor begins: one that runs, or the one that the holder itself waits for."""
    number: int | None = holder.id if holder.state == "running" else holder.after_id
    return number


def live_key(start: Start) -> str | None:
    """What it holds while it lives; None if it holds nothing."""
    if start.mode == "parallel" or start.error:
        return None
    return hashlib.sha256(f"{start.process}\0{start.key}".encode()).hexdigest()


def trigger_id_of(start: Start) -> str:
    return str(start.trigger.get("id", ""))


def row_of(start: Start, number: int, now: datetime) -> dict[str, Any]:
    return {
        "id": number,
        "process": start.process,
        "digest": start.digest,
        "title": start.title,
        "key": start.key,
        "state": "incident" if start.error else "ready",
        "inputs": start.inputs,
        "trigger": start.trigger,
        "trigger_id": trigger_id_of(start),
        "event_id": start.event_id,
        "event_at": start.event_at,
        "error": start.error,
        "started_at": now,
        "ended_at": None,
        "result": "",
        "flow_run_id": "",
        "fencing_token": 0,
        "deaths": 0,
        "alone": False,
        "bulk": start.bulk,
        "is_of_0_1": False,
    }
