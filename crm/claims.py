"""Which engine has which instance in hand, and what becomes of an instance after a segment.

Each claim of an instance raises its fencing token; whoever wants to write for it names the token it got (`fence`). So
one that slept while another took over writes nothing, whatever its name is and whatever its clock says.

Whoever locks many instances does so in the order of their numbers, those they wait for among them, so that two units
cannot wait for each other; and those that wait in line for a key after all others (`crm.queues`).
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import (
    CTE,
    ColumnElement,
    Connection,
    Row,
    Select,
    Update,
    and_,
    bindparam,
    case,
    delete,
    exists,
    false,
    null,
    select,
    text,
    true,
    union_all,
    update,
)

from crm import journal as j
from crm.cancelling import cancel_mails
from crm.engines import NOT_HELD
from crm.queues import QUEUED, pass_keys_on
from crm.statements import IDS, NOW, Part, portions
from crm.waits import FORGET_WAITS
from procession.ports import LIVE, MOST_BULK, End, Instance, InstanceState, Released

MOST_DEATHS = 2
"""One that so many engines died with runs alone from then on (`deaths > 1` in the indexes); if one dies with it so, it is held."""

DIED_ALONE = {
    "message": "engines died while they ran this instance, the last one while it ran nothing else",
    "class": "permanent",
    "hint": "Look at the engine's log. Resume it when the cause is mended, or cancel it.",
    "place": "",
    "step": "",
}

_TURN = text("SELECT pg_advisory_xact_lock(20471105)")

_I = j.instance.c
_READY, _RUNNING = text("instance.state = 'ready'"), text("instance.state = 'running'")
_SUSPECT, _UNSUSPECT = text("instance.deaths > 1"), text("instance.deaths <= 1")
_AT_REST = text("instance.state IN ('ready', 'waiting', 'incident', 'queued')")
_ASKED = _I.stop_requested.is_not(None)
_NOBODY = {"engine_id": null()}


def _locked(query: Select[Any]) -> CTE:
    return query.order_by(_I.id).with_for_update().cte("locked")


def _among(query: CTE) -> Any:
    return _I.id.in_(select(query.c.id))


_before = j.instance.alias("predecessor")
_IS_ENGINE = exists().where(j.engine.c.id == bindparam("engine"))
"""One that was buried and does not know it takes nothing: it would be taken from it at once."""
_BEGINS = _I.after_id.is_(None) | ~exists().where(_before.c.id == _I.after_id, _before.c.ended_at.is_(None))
"""Of a successor: the one before it has ended."""


def _ready(*conditions: ColumnElement[bool] | Any, limit: str = "limit") -> Select[Any]:
    return (
        select(_I.id)
        .where(_READY, _BEGINS, NOT_HELD, _IS_ENGINE, *conditions)
        .order_by(_I.id)
        .limit(bindparam(limit))
        .with_for_update(skip_locked=True, of=j.instance)
    )


def _claim(*queries: Select[Any], alone: bool) -> Any:
    """Of the queries the first one that finds something."""
    found: list[CTE] = []
    for number, query in enumerate(queries):
        found.append(query.where(*(~exists(one.select()) for one in found)).cte(f"ready_{number}"))
    ready = union_all(*(select(one.c.id) for one in found)) if len(found) > 1 else select(found[0].c.id)
    values = {
        "state": "running",
        "engine_id": bindparam("engine"),
        "fencing_token": _I.fencing_token + 1,
        "alone": alone,
        "flow_run_id": "",
    }
    return update(j.instance).where(_I.id.in_(ready)).values(values).returning(*j.instance.c)


_CAN_RUN = _I.digest.not_in(bindparam("not_of", expanding=True))
_CLAIM = _claim(
    _ready(_UNSUSPECT, _CAN_RUN, _I.bulk == false()),
    _ready(_UNSUSPECT, _CAN_RUN, _I.bulk == true(), limit="bulk_limit"),
    alone=False,
)
_CLAIM_THESE = _claim(_ready(_UNSUSPECT, _CAN_RUN, _I.id.in_(IDS)), alone=False)
_CLAIM_SUSPECT = _claim(_ready(_SUSPECT, _CAN_RUN), alone=True)
_CLAIM_THIS_SUSPECT = _claim(_ready(_SUSPECT, _CAN_RUN, _I.id.in_(IDS)), alone=True)
_MINE = _locked(select(_I.id).where(_I.id.in_(IDS), _RUNNING, _I.fencing_token == bindparam("token")))
_STOPPED = {
    "result": case((_ASKED, _I.stop_requested), else_=_I.result),
    "ended_at": case((_ASKED, _I.stop_requested_at), else_=null()),
    "live_key": case((_ASKED, null()), else_=_I.live_key),
}
_FENCE = (
    update(j.instance)
    .where(_among(_MINE))
    .values(
        state=case((_ASKED, "cancelled"), else_="running"),
        engine_id=case((_ASKED, null()), else_=_I.engine_id),
        **_STOPPED,
    )
    .returning(_I.id, _I.state, _I.result)
)
_STOPPED_UNDER = select(_I.id).where(
    _I.id.in_(IDS), _I.state == "cancelled", _I.fencing_token == bindparam("token")
)
_GIVE_BACK = update(j.instance).where(_I.id.in_(IDS), _RUNNING).values(state="ready", **_NOBODY)
_LEFT = (
    select(_I.id)
    .where(_RUNNING, ~exists().where(j.engine.c.id == _I.engine_id))
    .with_for_update(skip_locked=True, of=j.instance)  # who holds a lock is not dead
    .cte("left_behind")
)
_HELD = and_(_I.alone == true(), _I.stop_requested.is_(None))
_RELEASE = (
    update(j.instance)
    .where(_among(_LEFT))
    .values(
        state=case((_ASKED, "cancelled"), (_HELD, "incident"), else_="ready"),
        deaths=_I.deaths + 1,
        error=case((_HELD, bindparam("died_alone", type_=_I.error.type)), else_=_I.error),
        **_STOPPED,
        **_NOBODY,
    )
    .returning(_I.id, _I.state, _I.result)
)
_END = (
    update(j.instance)
    .where(_I.id.in_(IDS), _RUNNING)
    .values(
        state=bindparam("new_state"),
        result=bindparam("new_result"),
        error=bindparam("new_error", type_=_I.error.type),
        **_NOBODY,
    )
)
_OVER = _END.values(ended_at=NOW, live_key=null())
_WOKEN = exists().where(j.wait.c.instance_id == _I.id, j.wait.c.woken_at.is_not(None))
_REST = _END.values(state=case((_WOKEN, "ready"), else_="waiting"))
_FORGET_POSITIONS = delete(j.position).where(j.position.c.instance_id.in_(IDS))
_FORGET_VALUES = delete(j.kept_value).where(j.kept_value.c.instance_id.in_(IDS))
_LOCK = select(_I.id, _I.live_key, _I.after_id).where(_I.id.in_(IDS)).order_by(_I.id).with_for_update()
_LOCK_THOSE_IN_LINE, _LOCK_OTHERS = _LOCK.where(QUEUED), _LOCK.where(text("instance.state != 'queued'"))
_THERE = select(_I.id).where(_I.id.in_(IDS))
_PREDECESSORS = select(_I.after_id).where(_I.id.in_(IDS), _I.after_id.is_not(None))
_GIVE_KEY_BACK = (
    update(j.instance)
    .where(_I.id == bindparam("number"), _RUNNING, _I.live_key.is_(None))
    .values(live_key=bindparam("given_back"), queue_key=bindparam("given_back"))
)
"""Of a successor that was cancelled before it began: the one before it still runs."""
_CANCEL = (
    update(j.instance)
    .where(_I.id.in_(IDS), _AT_REST)
    .values(state="cancelled", result=bindparam("reason"), ended_at=NOW, live_key=null())
    .returning(_I.id)
)
_ASK = (
    update(j.instance)
    .where(_I.id.in_(IDS), _RUNNING)
    .values(stop_requested=bindparam("reason"), stop_requested_at=NOW)
    .returning(_I.id)
)
_RESUME = (
    update(j.instance)
    .where(and_(_I.id == bindparam("number"), text("instance.state = 'incident'")))
    .values(state="ready", error=null(), deaths=0, bulk=False)
    .returning(_I.id)
)


class Claims(Part):
    """See `procession.ports.Journal`."""

    def claim(  # noqa: PLR0913 - most are options by keyword
        self,
        engine: int,
        now: datetime,
        limit: int,
        ids: Collection[int] = (),
        *,
        alone: bool = False,
        not_of: Collection[str] = (),
        bulk: bool = True,
    ) -> list[Instance]:
        """Urgent ones and bulk are never claimed together: what is handed to one worker goes together."""
        del now
        values: dict[str, Any] = {"engine": engine, "not_of": list(not_of)}
        if ids:
            query = _CLAIM_THIS_SUSPECT if alone else _CLAIM_THESE
            values["ids"] = list(ids)
        else:
            query = _CLAIM_SUSPECT if alone else _CLAIM
            values["bulk_limit"] = min(limit, MOST_BULK) if bulk else 0
        rows = self._connection.execute(query, {**values, "limit": 1 if alone else limit})
        return sorted(map(instance_of, rows), key=lambda instance: instance.id)

    def fence(self, fencing_tokens: Mapping[int, int]) -> set[int]:
        by_token = _by_value(fencing_tokens)
        if len(by_token) > 1:  # each would lock its own in their order, but not all in one
            self._lock(fencing_tokens)
        rows = [
            row
            for token, ids in by_token
            for some in portions(ids)
            for row in self._connection.execute(_FENCE, {"ids": some, "token": token})
        ]
        self._see_off(rows)
        return {row.id for row in rows if row.state == "running"}

    def stopped(self, fencing_tokens: Mapping[int, int]) -> set[int]:
        return {
            number
            for token, ids in _by_value(fencing_tokens)
            for some in portions(ids)
            for number in self._connection.execute(_STOPPED_UNDER, {"ids": some, "token": token}).scalars()
        }

    def give_back(self, fencing_tokens: Mapping[int, int]) -> int:
        mine = self.fence(fencing_tokens)
        for some in portions(sorted(mine)):
            self._connection.execute(_GIVE_BACK, {"ids": some})
        return len(mine)

    def release(self, now: datetime) -> Released:
        """Mails that the dead had claimed stay claimed, for `Outbox.lost` to find."""
        del now
        rows = self._connection.execute(_RELEASE, {"died_alone": DIED_ALONE}).all()
        self._see_off(rows)
        ready, held = (tuple(row.id for row in rows if row.state == state) for state in ("ready", "incident"))
        return Released(ready, held)

    def end(self, ends: Sequence[End], now: datetime) -> None:
        """Those that end alike go in one statement."""
        alike: dict[tuple[object, ...], list[End]] = defaultdict(list)
        for end in ends:
            alike[end.state, end.result, id(end.error) if end.error else None].append(end)
        for some in alike.values():
            first, ids = some[0], sorted(end.instance for end in some)
            values = {
                "new_state": first.state,
                "new_result": first.result,
                "new_error": first.error,
                "now": now,
            }
            for portion in portions(ids):
                self._connection.execute(_closing(first.state), {**values, "ids": portion})
            if first.state == "cancelled":
                cancel_mails(self._connection, ids, first.result)
        pass_keys_on(self._connection, [end.instance for end in ends if end.state not in LIVE])

    def forget_positions(self, instances: Collection[int]) -> None:
        forget_positions(self._connection, instances)

    def ask_to_stop(self, instances: Collection[int], reason: str, now: datetime) -> int:
        """A start that decides meanwhile by who has the key would not see to whom it goes back: so it waits."""
        take_turns_with_keys(self._connection)
        rows = self._lock_for_good(instances)  # or one could change meanwhile
        over: list[int] = []
        count = 0
        for some in portions(instances):
            values = {"ids": some, "reason": reason, "now": now}
            cancelled = self._connection.execute(_CANCEL, values).scalars().all()
            self._give_keys_back(rows[number] for number in sorted(cancelled))
            cancel_mails(self._connection, cancelled, reason)
            self.forget_positions(cancelled)
            count += len(self._connection.execute(_ASK, values).all())
            over += cancelled
        pass_keys_on(self._connection, over)
        return count + len(over)

    def resume(self, instance: int, now: datetime) -> bool:
        del now
        return self._connection.execute(_RESUME, {"number": instance}).first() is not None

    def _lock_for_good(self, instances: Collection[int]) -> dict[int, Any]:
        """And those that they begin after. Who was passed a key while locks were waited for is not in line any more, and would
        be locked out of its turn: then all locks are let go, and taken anew."""
        while True:
            savepoint = self._connection.begin_nested()
            before = self._numbers(_PREDECESSORS, instances)
            rows = self._lock(before.union(instances), _LOCK_OTHERS)
            rows |= self._lock(instances, _LOCK_THOSE_IN_LINE)
            if not self._numbers(_THERE, set(instances) - rows.keys()):
                savepoint.commit()
                return rows
            savepoint.rollback()

    def _numbers(self, query: Select[Any], instances: Collection[int]) -> set[int]:
        return {
            number
            for some in portions(instances)
            for number in self._connection.execute(query, {"ids": some}).scalars()
        }

    def _lock(self, instances: Collection[int], query: Select[Any] = _LOCK) -> dict[int, Any]:
        return {
            row.id: row
            for some in portions(sorted(instances))
            for row in self._connection.execute(query, {"ids": some})
        }

    def _give_keys_back(self, cancelled: Iterable[Row[Any]]) -> None:
        values = [
            {"number": row.after_id, "given_back": row.live_key}
            for row in cancelled
            if row.after_id and row.live_key
        ]
        if values:
            self._connection.execute(_GIVE_KEY_BACK, values)

    def _see_off(self, rows: Iterable[Row[Any]]) -> None:
        """Those of them that were cancelled."""
        cancelled: dict[str, list[int]] = defaultdict(list)
        for row in rows:
            if row.state == "cancelled":
                cancelled[row.result].append(row.id)
        for reason, ids in cancelled.items():
            cancel_mails(self._connection, ids, reason)
            self.forget_positions(ids)
            pass_keys_on(self._connection, ids)


def take_turns_with_keys(connection: Connection) -> None:
    """On PostgreSQL, units that decide who has a key go one after the other. Called before an instance is locked."""
    if connection.dialect.name == "postgresql":
        connection.execute(_TURN)


def _closing(state: InstanceState) -> Update:
    if state == "waiting":
        return _REST
    return _END if state in LIVE else _OVER


def forget_positions(connection: Connection, instances: Collection[int]) -> None:
    """And what they wait for."""
    for some in portions(sorted(instances)):
        connection.execute(FORGET_WAITS, {"ids": some})
        connection.execute(_FORGET_POSITIONS, {"ids": some})
        connection.execute(_FORGET_VALUES, {"ids": some})


def _by_value(fencing_tokens: Mapping[int, int]) -> list[tuple[int, list[int]]]:
    """`[(fencing token, instances)]`: those of one batch mostly have the same."""
    found: dict[int, list[int]] = defaultdict(list)
    for instance, token in fencing_tokens.items():
        found[token].append(instance)
    return sorted(found.items())


def instance_of(row: Row[Any]) -> Instance:
    return Instance(
        id=row.id,
        process=row.process,
        digest=row.digest,
        title=row.title,
        key=row.key,
        state=row.state,
        inputs=row.inputs,
        trigger=row.trigger,
        started_at=row.started_at,
        ended_at=row.ended_at,
        result=row.result,
        error=row.error,
        flow_run_id=row.flow_run_id,
        event_at=row.event_at,
        fencing_token=row.fencing_token,
        deaths=row.deaths,
        bulk=row.bulk,
        is_of_0_1=row.is_of_0_1,
        refused=row.refused,
    )
