"""Who works on which instance: leases, and what becomes of an instance after a segment.

Statements over many instances lock them in the order of their numbers, so that two units cannot wait for each other.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import CTE, Boolean, Row, Select, and_, bindparam, case, func, null, or_, select, text, update

from crm import journal as j
from crm import tables as t
from crm.cancelling import cancel_mails
from crm.parameters import IDS, NOW, UNTIL, portions
from crm.part import Part
from crm.rows import instance_of
from procession.ports import LIVE, End, Instance

_I = j.instance.c
_READY, _RUNNING = text("instance.state = 'ready'"), text("instance.state = 'running'")
_WAITING = text("instance.state IN ('ready', 'incident')")
_OVER = bindparam("over", type_=Boolean())
_NO_LEASE = {"lease_owner": "", "lease_until": null()}
_ASKED = _I.stop_requested.is_not(None)


def _locked(query: Select[Any]) -> CTE:
    return query.order_by(_I.id).with_for_update().cte("locked")


def _among(query: CTE) -> Any:
    return _I.id.in_(select(query.c.id))


_DUE = (
    select(_I.id)
    .where(_READY, _I.due <= NOW)
    .order_by(_I.due, _I.id)
    .limit(bindparam("limit"))
    .with_for_update(skip_locked=True)
)
_ANY_READY = select(_I.id).where(_READY, _I.due <= NOW).limit(1)
_LEASE = {
    "state": "running",
    "lease_owner": bindparam("owner"),
    "lease_until": UNTIL,
    "claim": _I.claim + 1,
}
_CLAIM_DUE, _CLAIM_THESE = (
    update(j.instance).where(_among(some)).values(_LEASE).returning(*j.instance.c)
    for some in (_DUE.cte("due_now"), _DUE.where(_I.id.in_(IDS)).cte("due_now"))
)
_MINE = _locked(select(_I.id).where(_I.id.in_(IDS), _RUNNING, _I.lease_owner == bindparam("owner")))
_FENCE = (
    update(j.instance)
    .where(_among(_MINE))
    .values(
        state=case((_ASKED, "cancelled"), else_="running"),
        result=case((_ASKED, _I.stop_requested), else_=_I.result),
        ended_at=case((_ASKED, _I.stop_requested_at), else_=null()),
        live_key=case((_ASKED, null()), else_=_I.live_key),
        lease_until=case((_ASKED, null()), else_=UNTIL),
        lease_owner=case((_ASKED, ""), else_=_I.lease_owner),
    )
    .returning(_I.id, _I.state, _I.result, _I.claim)
)
_RENEW = (
    update(j.instance)
    .where(_among(_locked(select(_I.id).where(_RUNNING, _I.lease_owner == bindparam("owner")))))
    .values(lease_until=UNTIL)
    .returning(_I.id)
)
_LEFT = (
    select(_I.id)
    .where(
        _RUNNING,
        _I.lease_owner > "",  # true of all that run: the way into their index
        or_(_I.lease_until <= NOW, _I.lease_owner.in_(bindparam("dead", expanding=True))),
    )
    .with_for_update(skip_locked=True)  # who holds a lock is not dead
    .cte("left_behind")
)
_RELEASE = (
    update(j.instance)
    .where(_among(_LEFT))
    .values(
        state=case((_ASKED, "cancelled"), else_="ready"),
        result=case((_ASKED, _I.stop_requested), else_=_I.result),
        ended_at=case((_ASKED, _I.stop_requested_at), else_=null()),
        live_key=case((_ASKED, null()), else_=_I.live_key),
        **_NO_LEASE,
    )
    .returning(_I.id, _I.state, _I.result)
)
_OWNERS = (
    select(_I.lease_owner)
    .where(_RUNNING)
    .union(select(t.email_message.c.claimed_by).where(text("email_message.state = 'sending'")))
)
_END = (
    update(j.instance)
    .where(_I.id == bindparam("number"), _RUNNING, _I.lease_owner == bindparam("owner"))
    .values(
        state=case((_ASKED, "cancelled"), else_=bindparam("new_state")),
        result=case((_ASKED, _I.stop_requested), else_=bindparam("new_result")),
        error=bindparam("new_error", type_=_I.error.type),
        due=func.coalesce(bindparam("new_due", type_=_I.due.type), _I.due),
        ended_at=case((or_(_ASKED, _OVER), NOW), else_=null()),
        live_key=case((or_(_ASKED, _OVER), null()), else_=_I.live_key),
        **_NO_LEASE,
    )
)
_LOCK = select(_I.id).where(_I.id.in_(IDS)).order_by(_I.id).with_for_update()
_CANCEL = (
    update(j.instance)
    .where(_I.id.in_(IDS), _WAITING)
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
    .values(state="ready", due=NOW, error=null())
    .returning(_I.id)
)


class Leases(Part):
    """See `procession.ports.Journal`."""

    def any_ready(self, now: datetime) -> bool:
        return self._connection.execute(_ANY_READY, {"now": now}).first() is not None

    def claim(
        self, owner: str, now: datetime, until: datetime, limit: int, ids: Collection[int] = ()
    ) -> list[Instance]:
        values = {"owner": owner, "now": now, "until": until, "limit": limit}
        query, more = (_CLAIM_THESE, {"ids": list(ids)}) if ids else (_CLAIM_DUE, {})
        rows = self._connection.execute(query, {**values, **more})
        return sorted(map(instance_of, rows), key=lambda instance: (instance.due, instance.id))

    def fence(self, instances: Mapping[int, int], owner: str, until: datetime) -> set[int]:
        """One that was asked to stop is cancelled here, between two of its steps."""
        rows = [
            row
            for some in portions(instances)
            for row in self._connection.execute(_FENCE, {"ids": some, "owner": owner, "until": until})
        ]
        self._cancel_mails(rows)
        return {row.id for row in rows if row.state == "running" and row.claim == instances[row.id]}

    def renew(self, owner: str, until: datetime) -> int:
        return len(self._connection.execute(_RENEW, {"owner": owner, "until": until}).all())

    def release(self, dead: Collection[str], now: datetime) -> int:
        """Mails that the dead had claimed stay claimed, for `Outbox.lost` to find."""
        rows = self._connection.execute(_RELEASE, {"dead": list(dead), "now": now}).all()
        self._cancel_mails(rows)
        return len(rows)

    def owners(self) -> set[str]:
        """Owners of claimed mails that nobody settled, too: they count until somebody has."""
        return set(self._connection.execute(_OWNERS).scalars()) - {""}

    def end(self, ends: Sequence[End], owner: str, now: datetime) -> None:
        rows = [
            {
                "number": end.instance,
                "new_state": end.state,
                "new_result": end.result,
                "new_error": end.error,
                "new_due": end.due,
                "over": end.state not in LIVE,
                "owner": owner,
                "now": now,
            }
            for end in sorted(ends, key=lambda end: end.instance)
        ]
        if rows:
            self._connection.execute(_END, rows)

    def ask_to_stop(self, instances: Collection[int], reason: str, now: datetime) -> int:
        count = 0
        for some in portions(instances):
            values = {"ids": some, "reason": reason, "now": now}
            self._connection.execute(_LOCK, {"ids": some})  # or one could change between the two statements
            cancelled = self._connection.execute(_CANCEL, values).scalars().all()
            cancel_mails(self._connection, cancelled, reason)
            count += len(cancelled)
            count += len(self._connection.execute(_ASK, values).all())
        return count

    def resume(self, instance: int, now: datetime) -> bool:
        return self._connection.execute(_RESUME, {"number": instance, "now": now}).first() is not None

    def _cancel_mails(self, rows: Iterable[Row[Any]]) -> None:
        for row in rows:
            if row.state == "cancelled":
                cancel_mails(self._connection, [row.id], row.result)
