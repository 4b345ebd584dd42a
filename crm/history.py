"""The History of records: append-only, and read together with that of the activities connected to a record."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Row, Select, and_, bindparam, insert, or_, select

from crm import tables as t
from crm.mapping import LINKED
from crm.part import Part
from procession.ports import Actor, HistoryRow
from procession.records import Ref

_H = t.history.c
_INSERT = insert(t.history)


def _query(entity: str) -> Select[Any]:
    """The record's own lines, and those about activities connected to it, or about itself if it is one."""
    mine: Any = and_(_H.entity == entity, _H.record_id == bindparam("number"))
    if entity == "activity":
        mine = or_(mine, _H.activity_id == bindparam("number"))
    if entity in LINKED:
        link = t.activity_link.c
        connected = select(link.activity_id).where(link[f"{entity}_id"] == bindparam("number"))
        mine = or_(mine, _H.activity_id.in_(connected))
    lines = t.history.outerjoin(t.email_message, _H.activity_id == t.email_message.c.activity_id)
    return (
        select(t.history, t.email_message.c.state.label("delivery"))
        .select_from(lines)
        .where(mine)
        .order_by(_H.at.desc(), _H.id.desc())
        .limit(bindparam("limit"))
    )


_QUERIES = {entity: _query(entity) for entity in (*LINKED, "activity", "user")}


class CrmHistory(Part):
    """Implements `procession.ports.History`."""

    def append(self, rows: Sequence[HistoryRow]) -> None:
        if rows:
            self._connection.execute(_INSERT, list(map(_row, rows)))

    def of(self, ref: Ref, limit: int = 1000) -> list[HistoryRow]:
        if ref.entity not in _QUERIES:
            return []
        values = {"number": ref.id, "limit": limit}
        return [_line(row) for row in self._connection.execute(_QUERIES[ref.entity], values)]


def _row(row: HistoryRow) -> dict[str, Any]:
    return {
        "entity": row.on.entity,
        "record_id": row.on.id,
        "at": row.at,
        "kind": row.kind,
        "text": row.text,
        "activity_id": row.activity,
        "actor_kind": row.actor.kind,
        "actor_name": row.actor.name,
        "actor_process": row.actor.process,
        "actor_instance": row.actor.instance,
        "actor_step": row.actor.step,
    }


def _line(row: Row[Any]) -> HistoryRow:
    return HistoryRow(
        on=Ref(row.entity, row.record_id),
        at=row.at,
        actor=Actor(row.actor_kind, row.actor_name, row.actor_process, row.actor_instance, row.actor_step),
        kind=row.kind,
        text=row.text,
        activity=row.activity_id,
        id=row.id,
        delivery=row.delivery,
    )
