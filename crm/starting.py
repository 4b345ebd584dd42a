"""Start instances by `mode`: one live instance per key, one start per event, as the unique constraints of `instance` say.

Whoever starts locks those that have the keys it wants: so none of them ends, or passes its key on, until that is written.
"""

import hashlib
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
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
_HELD = select(j.instance.c.live_key).where(_LIVE)
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
_REFUSE = (
    update(j.instance)
    .where(j.instance.c.id == bindparam("number"))
    .values(refused=j.instance.c.refused + bindparam("more"))
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
        take_turns_with_keys(self._connection)  # whoever decides by who has a key must see who has it
        keys = [key for start in starts if (key := live_key(start))]
        holders = self._holders(set(keys))
        fresh = self._not_started(starts, ask=bool(holders) or len(set(keys)) < len(keys))
        judged = judge(starts, [i for i in fresh if not is_outdated(starts[i], holders)], holders, now)
        self._supersede(judged.superseded, now)
        if judged.refused:
            rows = [{"number": number, "more": more} for number, more in sorted(judged.refused.items())]
            self._connection.execute(_REFUSE, rows)
        numbers = dict(
            zip(judged.born, take_numbers(self._connection, j.instance, len(judged.born)), strict=True)
        )
        born = self._insert(starts, numbers, judged, now)
        return [numbers[i] if numbers.get(i) in born else None for i in range(len(starts))]

    def hurry(self, refs: Collection[Ref]) -> None:
        for entity, numbers in sorted(by_entity(refs).items()):
            for some in portions(sorted(numbers)):
                self._connection.execute(_HURRY, {"entity": entity, "ids": some})

    def _not_started(self, starts: Sequence[Start], *, ask: bool) -> list[int]:
        """Which of the starts (by place) no event has made already. The database refuses a second one by itself; it is
        asked before anything is decided by who has a key."""
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

    def _holders(self, keys: set[str]) -> dict[str, Any]:
        """`{key: the live instance that has it}`. One that was about to end while its lock was waited for has passed its
        key on: so it is asked again."""
        found: dict[str, Any] = {}
        while held := self._held(keys - found.keys()):
            for some in portions(held):
                found |= {row.live_key: row for row in self._connection.execute(_HOLDERS, {"keys": some})}
        return found

    def _held(self, keys: Collection[str]) -> list[str]:
        return [
            key
            for some in portions(sorted(keys))
            for key in self._connection.execute(_HELD, {"keys": some}).scalars()
        ]

    def _supersede(self, keys: Collection[str], now: datetime) -> None:
        for some in portions(keys):
            self._connection.execute(_STOP_RUNNING, {"keys": some, "now": now})
            cancelled = self._connection.execute(_CANCEL_WAITING, {"keys": some, "now": now}).scalars().all()
            cancel_mails(self._connection, cancelled, SUPERSEDED)
            forget_positions(self._connection, cancelled)

    def _insert(
        self, starts: Sequence[Start], numbers: Mapping[int, int], judged: "Judged", now: datetime
    ) -> set[int]:
        """Returns the numbers of those that no event had made before."""
        rows = [row_of(starts[i], number, now) | judged.born[i] for i, number in numbers.items()]
        if not rows:
            return set()
        return set(self._connection.execute(_INSERT.on(self._connection), rows).scalars())


@dataclass(frozen=True, slots=True)
class Judged:
    """What becomes of starts: those that are `born`, by place, with what their rows have of their own; the keys that are
    taken from those that have them; and how many starts each instance was in the way of."""

    born: dict[int, dict[str, Any]] = field(default_factory=dict)
    superseded: set[str] = field(default_factory=set)
    refused: Counter[int] = field(default_factory=Counter)


def judge(starts: Sequence[Start], fresh: Sequence[int], holders: Mapping[str, Any], now: datetime) -> Judged:
    """One start after the other, each by its mode: it is refused, stands in line, or has the key."""
    judged = Judged()
    holding: dict[str, dict[str, Any]] = {}
    for i in fresh:
        key, mode = live_key(starts[i]), starts[i].mode
        own, holder = holding.get(key or ""), holders.get(key or "")
        if not key:
            judged.born[i] = {}
        elif mode == "single" and own:
            own["refused"] += 1
        elif mode == "single" and holder:
            judged.refused[holder.id] += 1
        elif mode == "queued" and (own or holder):
            judged.born[i] = {"state": "queued", "queue_key": key}
        else:
            if own:
                own |= {"live_key": None, "state": "cancelled", "result": SUPERSEDED, "ended_at": now}
            elif holder:
                judged.superseded.add(key)
            after = predecessor(holder) if holder else None
            holding[key] = {"live_key": key, "queue_key": key, "after_id": after, "refused": 0}
            judged.born[i] = holding[key]
    return judged


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
        "live_key": None,
        "queue_key": None,
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
        "after_id": None,
        "deaths": 0,
        "refused": 0,
        "alone": False,
        "bulk": start.bulk,
        "is_of_0_1": False,
    }
