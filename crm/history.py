"""The History of records: append-only, and read together with that of the activities connected to a record."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import replace
from typing import Any

from sqlalchemy import BindParameter, Connection, Select, and_, bindparam, insert, or_, select, union

from crm import links
from crm import tables as t
from crm.checks import unknown_entity
from crm.mapping import LINKED
from crm.schema import SCHEMA
from crm.statements import IDS, Part, portions
from procession.ports import Actor, HistoryRow, MailState
from procession.records import Ref

_H = t.history.c
_INSERT = insert(t.history)


def _query(entity: str) -> Select[Any]:
    """The record's own lines, those of the activities connected to it, and those about them. By numbers first:
    so each part goes by an index of its own, and a line that is there for two reasons counts once."""
    number: BindParameter[int] = bindparam("number")
    parts = [select(_H.id).where(_H.entity == entity, _H.record_id == number)]
    if entity == "activity":
        parts.append(select(_H.id).where(_H.activity_id == number))
    if entity in LINKED:
        link = t.activity_link.c
        connected = t.activity_link.join(t.history, link.activity_id == _H.activity_id)
        theirs = t.activity_link.join(
            t.history, and_(_H.entity == "activity", _H.record_id == link.activity_id)
        )
        parts += [
            select(_H.id).select_from(way).where(link[f"{entity}_id"] == number)
            for way in (connected, theirs)
        ]
    lines = t.history.outerjoin(t.email_message, _H.activity_id == t.email_message.c.activity_id)
    return (
        select(t.history, t.email_message.c.state.label("delivery"))
        .select_from(lines)
        .where(_H.id.in_(union(*parts)))
        .order_by(_H.at.desc(), _H.id.desc())
        .limit(bindparam("limit"))
    )


_QUERIES = {entity: _query(entity) for entity in SCHEMA.entities}


_ABOUT_ACTIVITIES = select(t.history).where(
    or_(
        _H.activity_id.in_(IDS),
        and_(_H.entity == "activity", _H.record_id.in_(IDS), _H.activity_id.is_(None)),
    )
)


def keep_for_connected(connection: Connection, activities: Collection[int]) -> None:
    """Before activities are deleted: give what their lines say to the records they are connected to, each a
    line of its own."""
    rows = [
        row
        for some in portions(activities)
        for row in connection.execute(_ABOUT_ACTIVITIES, {"ids": some}).all()
    ]
    if copies := copied(rows, links.targets(connection, activities)):
        connection.execute(_INSERT, copies)


def copied(rows: Iterable[Any], targets: Iterable[tuple[int, Ref]]) -> list[dict[str, Any]]:
    """Rows about activities, once more for each record that these are connected to."""
    connected: dict[int, list[Ref]] = {}
    for number, ref in targets:
        connected.setdefault(number, []).append(ref)
    return [
        row_of(replace(line, on=ref, activity=None))
        for row in rows
        for line in (line_of(row),)
        for ref in connected.get(row.activity_id or row.record_id, ())
        if ref != line.on
    ]


class CrmHistory(Part):
    """Implements `procession.ports.History`."""

    def append(self, rows: Sequence[HistoryRow]) -> None:
        if rows:
            self._connection.execute(_INSERT, list(map(row_of, rows)))

    def of(self, ref: Ref, limit: int = 1000) -> list[HistoryRow]:
        if ref.entity not in _QUERIES:
            raise unknown_entity(ref.entity)
        values = {"number": ref.id, "limit": limit}
        return [line_of(row, row.delivery) for row in self._connection.execute(_QUERIES[ref.entity], values)]


def row_of(row: HistoryRow) -> dict[str, Any]:
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


def line_of(row: Any, delivery: MailState | None = None) -> HistoryRow:
    return HistoryRow(
        on=Ref(row.entity, row.record_id),
        at=row.at,
        actor=Actor(row.actor_kind, row.actor_name, row.actor_process, row.actor_instance, row.actor_step),
        kind=row.kind,
        text=row.text,
        activity=row.activity_id,
        id=row.id,
        delivery=delivery,
    )
