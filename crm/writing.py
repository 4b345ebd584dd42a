"""Create, change and delete records: set-wise, each save with its event."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Table, bindparam, delete, insert, select, update

from crm import addresses, links
from crm import tables as t
from crm.changes import (
    ON_ITS_WAY,
    Change,
    Values,
    can_be_connected,
    changed_by_each,
    columns_of,
    differences,
    each_once,
    gone,
    known_entity,
    named,
    needed,
    not_there,
    numbers_of,
    on_its_way,
    placed,
    refs_in,
    to_be_placed,
)
from crm.checks import accept, accept_new
from crm.events import Saved, tell
from crm.history import keep_for_connected
from crm.links import Link
from crm.mapping import LAYOUTS, LINKED, TABLES
from crm.reading import load_by_id
from crm.statements import IDS, portions
from procession.ports import Actor
from procession.records import Ref
from procession.values import to_json

_M = t.email_message.c
_ON_ITS_WAY = (
    select(_M.activity_id, _M.state).where(_M.activity_id.in_(IDS), _M.state.in_(ON_ITS_WAY)).limit(1)
)
_INSERTS = {
    entity: insert(table).returning(table.c.id, sort_by_parameter_order=True)
    for entity, table in TABLES.items()
}
"""They answer the numbers of the new records, in the order of the rows."""


def create(
    connection: Connection,
    entity: str,
    rows: Sequence[Values],
    connected_to: Sequence[Sequence[Ref]],
    by: tuple[Actor, datetime],
) -> list[Ref]:
    """See `procession.ports.Records.create`; `by` is who and when."""
    actor, now = by
    known_entity(entity)
    wholes = [named(entity, accept_new(entity, row)) for row in rows]
    connected = _connected(connection, entity, connected_to, len(rows))
    zones = _must_exist(connection, [*refs_in(wholes), *(ref for refs in connected_to for ref in refs)])
    if not rows:
        return []
    if entity == "activity":
        wholes = [placed(whole, zones) for whole in wholes]
    categories = _categories(connection, wholes)
    extra = {"created_at": now, "modified_at": now, "external": False} if entity == "activity" else {}
    values = [{**columns_of(entity, whole, categories), **extra} for whole in wholes]
    numbers = connection.execute(_INSERTS[entity], values).scalars().all()
    _add_belongings(connection, entity, dict(zip(numbers, wholes, strict=True)), connected)
    refs = [Ref(entity, number) for number in numbers]
    tell(connection, (Saved("added", ref, actor) for ref in refs), now)
    return refs


def update_records(
    connection: Connection, changes: Sequence[Change], actor: Actor, now: datetime
) -> list[tuple[str, ...]]:
    """See `procession.ports.Records.update`."""
    by_entity: dict[str, list[int]] = {}
    accepted: list[Change] = []
    for ref, values in changes:
        known_entity(ref.entity)
        by_entity.setdefault(ref.entity, []).append(len(accepted))
        accepted.append((ref, accept(ref.entity, values)))
    answers: list[tuple[str, ...]] = [()] * len(accepted)
    for entity, places in by_entity.items():
        some = [accepted[place] for place in places]
        _must_exist(connection, refs_in(values for _, values in some))
        before = _locked(connection, entity, [ref for ref, _ in some])
        for place, names in zip(places, changed_by_each(some, before), strict=True):
            answers[place] = names
        changed = differences(some, before)
        if entity == "activity":
            _place(connection, changed, before)
        _write_changes(connection, entity, changed, now)
        saves = (Saved("modified", ref, actor, tuple(values)) for ref, values in changed.items())
        tell(connection, saves, now)
    return answers


def delete_records(connection: Connection, refs: Sequence[Ref], actor: Actor, now: datetime) -> None:
    """See `procession.ports.Records.delete`."""
    by_entity: dict[str, list[Ref]] = {}
    for ref in each_once(refs):
        by_entity.setdefault(ref.entity, []).append(ref)
    for entity, some in by_entity.items():
        last = _locked(connection, entity, some)
        numbers = [ref.id for ref in some]
        _nobody_needs(connection, entity, numbers)
        if entity == "activity":
            _nothing_on_its_way(connection, numbers)
            keep_for_connected(connection, numbers)
        saves = [
            Saved("deleted", ref, actor, payload={k: to_json(v) for k, v in last[ref.id].items()})
            for ref in some
        ]
        for portion in portions(numbers):
            table = TABLES[entity]
            connection.execute(delete(table).where(table.c.id.in_(IDS)), {"ids": portion})
        tell(connection, saves, now)


def _connected(
    connection: Connection, entity: str, connected_to: Sequence[Sequence[Ref]], rows: int
) -> Sequence[Sequence[Ref]]:
    if not can_be_connected(entity, connected_to, rows):
        return [()] * rows
    return links.resolve(connection, connected_to)


def _place(connection: Connection, changed: dict[Ref, dict[str, Any]], before: Mapping[int, Values]) -> None:
    owners = to_be_placed(changed, before)
    zones = _must_exist(connection, {Ref("user", owner) for owner in owners.values()})
    for ref, owner in owners.items():
        if zone := zones[owner]:
            changed[ref]["timezone"] = zone


def _must_exist(connection: Connection, refs: Iterable[Ref]) -> dict[int, str]:
    """Returns the zones of the users among them.

    Raises:
        StoreError: one of them does not exist.
    """
    zones: dict[int, str] = {}
    by_entity: dict[str, set[int]] = {}
    for ref in refs:
        by_entity.setdefault(ref.entity, set()).add(ref.id)
    for entity, wanted in by_entity.items():
        table = TABLES[entity]
        found: set[int] = set()
        for some in portions(wanted):
            columns = (table.c.id, table.c.timezone) if entity == "user" else (table.c.id,)
            rows = connection.execute(select(*columns).where(table.c.id.in_(IDS)), {"ids": some}).all()
            found.update(row.id for row in rows)
            zones |= {row.id: row.timezone for row in rows} if entity == "user" else {}
        if missing := wanted - found:
            raise not_there(Ref(entity, min(missing)))
    return zones


def _categories(connection: Connection, rows: Iterable[Values]) -> dict[str, int]:
    """`{name: number}` of the categories that the rows name."""
    wanted = {row["category"] for row in rows if row.get("category")}
    if not wanted:
        return {}
    return numbers_of(wanted, connection.execute(select(t.category.c.name, t.category.c.id)))


def _add_belongings(
    connection: Connection, entity: str, rows: Mapping[int, Values], connected_to: Sequence[Sequence[Ref]]
) -> None:
    if entity == "contact":
        kinds = addresses.KINDS
        addresses.add(
            connection,
            ((n, kind, [row[kind]]) for n, row in rows.items() for kind in kinds if row[kind]),
        )
    if entity == "activity":
        own = [Link(n, row[kind]) for n, row in rows.items() for kind in LINKED if row[kind]]
        more = [Link(n, ref, "connected") for n, refs in zip(rows, connected_to, strict=True) for ref in refs]
        links.add(connection, own + more)


def _locked(connection: Connection, entity: str, refs: Sequence[Ref]) -> dict[int, dict[str, Any]]:
    """The records as they are; on PostgreSQL nobody else changes them before this unit ends.

    Raises:
        StoreError: a record is gone.
    """
    numbers = sorted({ref.id for ref in refs})
    table = TABLES[entity]
    if connection.dialect.name == "postgresql":
        for some in portions(numbers):
            lock = select(table.c.id).where(table.c.id.in_(IDS)).order_by(table.c.id).with_for_update()
            connection.execute(lock, {"ids": some})
    found = load_by_id(connection, entity, numbers)
    for number in numbers:
        if number not in found:
            raise gone(Ref(entity, number))
    return found


def _write_changes(connection: Connection, entity: str, changed: Mapping[Ref, Values], now: datetime) -> None:
    """Records of which the same fields change go into one statement."""
    categories = _categories(connection, changed.values())
    table = TABLES[entity]
    groups: dict[tuple[str, ...], list[dict[str, Any]]] = {}
    for ref, values in changed.items():
        columns = columns_of(entity, values, categories)
        if entity == "activity":
            columns["modified_at"] = now
        if columns:
            row = {f"new_{name}": value for name, value in columns.items()}
            groups.setdefault(tuple(columns), []).append({"number": ref.id, **row})
    for names, rows in groups.items():
        connection.execute(_update(table, names), rows)
    _change_belongings(connection, entity, changed)


def _update(table: Table, names: Sequence[str]) -> Any:
    """The statement that sets these columns of the record `number` to `new_<column>`."""
    new = {name: bindparam(f"new_{name}", type_=table.c[name].type) for name in names}
    return update(table).where(table.c.id == bindparam("number")).values(new)


def _change_belongings(connection: Connection, entity: str, changed: Mapping[Ref, Values]) -> None:
    wishes = [(ref.id, name, value) for ref, values in changed.items() for name, value in values.items()]
    if entity == "contact":
        addresses.make_primary(connection, [wish for wish in wishes if wish[1] in addresses.KINDS])
    if entity == "activity":
        links.point(connection, [links.Pointer(*wish) for wish in wishes if wish[1] in LINKED])


def _nobody_needs(connection: Connection, entity: str, numbers: Collection[int]) -> None:
    """Raises:
    StoreError: a record that stays refers to one of these.
    """
    for other, layout in LAYOUTS.items():
        for name, target in layout.references.items():
            if target != entity:
                continue
            column = layout.table.c[f"{name}_id"]
            query = select(layout.table.c.id, column).where(column.in_(IDS)).limit(1)
            for some in portions(numbers):
                if row := connection.execute(query, {"ids": some}).first():
                    raise needed(Ref(entity, row[1]), name, Ref(other, row[0]))


def _nothing_on_its_way(connection: Connection, activities: Collection[int]) -> None:
    """Raises:
    StoreError: an e-mail that is not sent yet would be lost without a word.
    """
    for some in portions(activities):
        if row := connection.execute(_ON_ITS_WAY, {"ids": some}).first():
            raise on_its_way(row.activity_id, row.state)
