"""Who waits in line for a key, and who has it next (`mode: queued`).

One that waits in line is a row in state `queued` that holds nothing. Its `queue_key` says what it waits for; whoever has or
had that key has the same there. Who is over passes the key on in the unit in which it ends, unless somebody has it already.

On PostgreSQL whoever puts one in line locks the holder first, as whoever ends the holder has done: so either the one in
line is seen, or the start sees that the key is free. Rows that wait in line are locked after all others: by those that pass
a key on, which have locked its holder, and by those that cancel.
"""

from collections import defaultdict
from collections.abc import Collection

from sqlalchemy import Connection, bindparam, exists, or_, select, text, update

from crm import journal as j
from crm.statements import IDS, Part, portions

QUEUED = text("instance.state = 'queued'")

_I = j.instance.c
_ended, _holder = j.instance.alias("ended"), j.instance.alias("holder")
_successor = j.instance.alias("successor")
_FIRST = (
    select(_successor.c.id)
    .where(_successor.c.queue_key == _ended.c.queue_key, text("successor.state = 'queued'"))
    .order_by(
        _successor.c.event_id, _successor.c.id
    )  # as the index says it: no event that started one is ever deleted
    .limit(1)
    .scalar_subquery()
)
_NEXT = select(_FIRST.label("number")).where(
    _ended.c.id.in_(IDS),
    _ended.c.queue_key.is_not(None),
    ~exists().where(_holder.c.live_key == _ended.c.queue_key),
)
_locked = select(_I.id).where(_I.id.in_(IDS), QUEUED).order_by(_I.id).with_for_update().cte("locked")
_TAKE_KEY = (
    update(j.instance).where(_I.id.in_(select(_locked.c.id))).values(state="ready", live_key=_I.queue_key)
)
_KEYS = select(_I.id, _I.queue_key).where(_I.id.in_(IDS), or_(QUEUED, _I.live_key.is_not(None)))
_IN_LINE = (
    select(_I.id, _I.queue_key)
    .where(_I.queue_key.in_(bindparam("keys", expanding=True)), QUEUED)
    .order_by(_I.event_id, _I.id)
)
_HOLDERS = select(_I.id, _I.live_key).where(_I.live_key.in_(bindparam("keys", expanding=True)))


class Queues(Part):
    """See `procession.ports.Journal`."""

    def lines(self, instances: Collection[int]) -> dict[int, tuple[int, ...]]:
        run = self._connection.execute
        keys = {row.id: row.queue_key for some in portions(instances) for row in run(_KEYS, {"ids": some})}
        behind: dict[str, list[int]] = defaultdict(list)
        for some in portions(set(keys.values())):
            for row in run(_IN_LINE, {"keys": some}):
                behind[row.queue_key].append(row.id)
        lines = {
            row.live_key: (row.id, *behind[row.live_key])
            for some in portions(behind)
            for row in run(_HOLDERS, {"keys": some})
        }
        return {number: lines[key] for number, key in keys.items() if key in lines}


def pass_keys_on(connection: Connection, ended: Collection[int]) -> None:
    """Of instances that are over: the first in line for what nobody holds any more has it now. One that was cancelled while
    it was waited for does not count: so it is asked again."""
    for some in portions(sorted(ended)):
        while first := {number for number in connection.execute(_NEXT, {"ids": some}).scalars() if number}:
            connection.execute(_TAKE_KEY, {"ids": sorted(first)})
