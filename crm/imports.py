"""Imports that are written in several units: nothing starts of one that is not whole.

The events of its slices carry its number and are not pending. The unit of the last slice releases it, which is a change of one
row; the planner lets its events in, a portion at a time, and forgets it with the last one.
"""

from sqlalchemy import bindparam, delete, false, insert, select, text, true, update

from crm import journal as j
from crm.bulk import import_of
from crm.events import told_in
from crm.statements import IDS, Part, portions
from procession.errors import StoreError
from procession.ports import Import

_I, _E = j.file_import.c, j.event.c
_UNFINISHED = select(j.file_import).where(_I.is_released == false()).order_by(_I.id)
_BEGIN = insert(j.file_import).returning(_I.id)
_GO_ON = (
    update(j.file_import)
    .where(_I.id == bindparam("number"), _I.saved == bindparam("before"), _I.is_released == false())
    .values(saved=bindparam("so_far"), digest=bindparam("new_digest"), is_released=bindparam("last"))
    .returning(_I.id)
)
_RELEASED = select(_I.id).where(_I.is_released == true()).order_by(_I.id).limit(1)
_WAITING = (
    select(_E.id)
    .where(text("event.dispatched_at IS NULL"), _E.import_id == bindparam("number"))
    .order_by(_E.bulk, _E.id)
    .limit(bindparam("limit"))
)
_LET_IN = update(j.event).where(_E.id.in_(IDS)).values(import_id=0)
_FORGET = delete(j.file_import).where(_I.id == bindparam("number"))


class Imports(Part):
    """See `procession.ports.Journal`."""

    def imports(self) -> list[Import]:
        return [import_of(row) for row in self._connection.execute(_UNFINISHED)]

    def import_slice(self, slice_: Import, *, last: bool = False) -> Import:
        if slice_.id:
            values = {"number": slice_.id, "before": slice_.before, "so_far": slice_.saved}
            found = self._connection.execute(
                _GO_ON, {**values, "new_digest": slice_.digest, "last": last}
            ).scalar()
        else:
            row = {"entity": slice_.entity, "saved": slice_.saved, "digest": slice_.digest}
            found = self._connection.execute(_BEGIN, {**row, "is_released": last}).scalar_one()
        if found is None:
            raise overtaken()
        told_in(self._connection).import_id = found
        return Import(slice_.entity, slice_.saved, slice_.digest, slice_.saved, found)

    def let_in(self, limit: int) -> int:
        number = self._connection.execute(_RELEASED).scalar()
        if number is None:
            return 0
        events = self._connection.execute(_WAITING, {"number": number, "limit": limit}).scalars().all()
        for some in portions(events):
            self._connection.execute(_LET_IN, {"ids": some})
        if len(events) < limit:
            self._connection.execute(_FORGET, {"number": number})
        return len(events)


def overtaken() -> StoreError:
    return StoreError("Somebody else imports the same file just now.")
