"""Read records as snapshots: set-wise, by levels of the references that are followed.

A level costs one statement per entity on it, and one more for what a contact's or an activity's row does not hold
(addresses; links and participants), whatever the number of records.
"""

import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from email.utils import quote
from functools import partial
from typing import Any

from sqlalchemy import (
    ColumnElement,
    CompoundSelect,
    Connection,
    FromClause,
    Select,
    Text,
    cast,
    literal,
    null,
    select,
    text,
)

from crm import tables as t
from crm.columns import ID
from crm.mapping import LAYOUTS, LINKED, TABLES
from crm.schema import OPEN_STAGES
from crm.statements import IDS, portions
from procession.records import Paths, Record, Ref, ref_of

Fields = dict[str, Any]
Load = Callable[[str, Collection[int]], Mapping[int, Fields]]
"""The fields of records of an entity, by number; those that are not there are absent."""

Tree = dict[str, "Tree"]
"""References to follow: `{"opportunity": {"account": {}}}`."""

_SPECIAL = re.compile(r'[]\\[()<>@,:;".]')
"""What a name must be quoted for in an address (RFC 5322, section 3.2.3)."""

_BY_ID = {entity: layout.select.where(layout.table.c.id.in_(IDS)) for entity, layout in LAYOUTS.items()}
_ADDRESSES = (
    select(t.contact_address.c.contact_id, t.contact_address.c.kind, t.contact_address.c.value)
    .where(t.contact_address.c.contact_id.in_(IDS))
    .order_by(t.contact_address.c.position, t.contact_address.c.id)
)


def _links() -> CompoundSelect[Any]:
    """Of each link its activity, and the number and name of each kind of record it may lead to; then the same of those
    who take part, as if they were linked contacts."""
    link, part = t.activity_link, t.participant
    source: FromClause = link
    columns: list[ColumnElement[Any]] = [
        literal(0).label("whose"),
        link.c.id.label("place"),
        link.c.activity_id,
    ]
    for entity in LINKED:
        target, number = TABLES[entity], link.c[f"{entity}_id"]
        source = source.outerjoin(target, number == target.c.id)
        columns += [number, target.c.name]
    contact = {"contact": (t.contact.c.id, t.contact.c.name)}
    nobody = (cast(null(), ID), cast(null(), Text()))
    taking_part = [column for entity in LINKED for column in contact.get(entity, nobody)]
    linked = select(*columns).select_from(source).where(link.c.activity_id.in_(IDS))
    others = (
        select(literal(1), part.c.id, part.c.activity_id, *taking_part)
        .select_from(part.join(t.contact))
        .where(part.c.activity_id.in_(IDS))
    )
    return linked.union_all(others).order_by(text("whose"), text("place"))


_LINKS = _links()


def fetch(connection: Connection, refs: Collection[Ref], paths: Paths) -> dict[Ref, Record]:
    """See `procession.ports.Records.fetch`."""
    return followed(partial(load_by_id, connection), refs, paths)


def followed(load_fields: Load, refs: Collection[Ref], paths: Paths) -> dict[Ref, Record]:
    """Records with the references that `paths` follow, level by level."""
    tree = _tree(paths)
    loaded: dict[Ref, Fields] = {}
    level: list[tuple[Collection[Ref], Tree]] = [(refs, tree)]
    while level:
        _load_missing(load_fields, (ref for group, _ in level for ref in group), loaded)
        level = list(_next_level(level, loaded))
    made: dict[tuple[Ref, int], Record] = {}
    return {ref: _assemble(ref, tree, loaded, made) for ref in refs if ref in loaded}


def load(
    connection: Connection, entity: str, query: Select[Any], values: Mapping[str, Any]
) -> dict[int, Fields]:
    """The fields of the records that a statement of the entity's layout finds, in its order."""
    layout = LAYOUTS[entity]
    rows = connection.execute(query, values).all()
    found = {row[0]: _fields(layout.plain, layout.references, row) for row in rows}
    if found:
        _complete(connection, entity, found)
    return found


def load_by_id(connection: Connection, entity: str, ids: Collection[int]) -> dict[int, Fields]:
    found: dict[int, Fields] = {}
    for some in portions(ids):
        found |= load(connection, entity, _BY_ID[entity], {"ids": some})
    return found


def _tree(paths: Paths) -> Tree:
    root: Tree = {}
    for path in paths:
        node = root
        for name in path:
            node = node.setdefault(name, {})
    return root


def _load_missing(load_fields: Load, refs: Iterable[Ref], loaded: dict[Ref, Fields]) -> None:
    wanted: dict[str, set[int]] = {}
    for ref in refs:
        if ref not in loaded and ref.entity in LAYOUTS:
            wanted.setdefault(ref.entity, set()).add(ref.id)
    for entity, ids in wanted.items():
        for number, fields in load_fields(entity, sorted(ids)).items():
            loaded[Ref(entity, number)] = fields


def _next_level(
    level: Iterable[tuple[Collection[Ref], Tree]], loaded: Mapping[Ref, Fields]
) -> Iterator[tuple[Collection[Ref], Tree]]:
    for refs, tree in level:
        for name, below in tree.items():
            values = (loaded[ref].get(name) for ref in refs if ref in loaded)
            followed = {ref_of(record) for value in values for record in _records_in(value)}
            if followed:
                yield followed, below


def _records_in(value: Any) -> Sequence[Record]:
    if isinstance(value, Record):
        return (value,)
    return value if isinstance(value, tuple) and value and isinstance(value[0], Record) else ()


def _assemble(
    ref: Ref, tree: Tree, loaded: Mapping[Ref, Fields], made: dict[tuple[Ref, int], Record]
) -> Record:
    """A record is shared by all that refer to it along the same path."""
    place = (ref, id(tree))
    if place not in made:
        fields = dict(loaded[ref])
        for name, below in tree.items():
            value = fields.get(name)
            whole = tuple(
                _assemble(ref_of(part), below, loaded, made) if ref_of(part) in loaded else part
                for part in _records_in(value)
            )
            if whole:
                fields[name] = whole if isinstance(value, tuple) else whole[0]
        made[place] = Record(ref, fields)
    return made[place]


def _fields(plain: tuple[str, ...], references: Mapping[str, str], row: Sequence[Any]) -> Fields:
    fields: Fields = dict(zip(plain, row[1:], strict=False))
    at = len(plain) + 1
    for name, entity in references.items():
        fields[name] = stub(entity, row[at], row[at + 1])
        at += 2
    return fields


def stub(entity: str, number: int | None, name: str) -> Record | None:
    return None if number is None else Record(Ref(entity, number), {"name": name})


def _complete(connection: Connection, entity: str, found: dict[int, Fields]) -> None:
    match entity:
        case "user":
            for fields in found.values():
                fields["mailbox"] = mailbox(fields["name"], fields["email"])
        case "opportunity":
            for fields in found.values():
                fields["is_open"] = fields["stage"] in OPEN_STAGES
        case "contact":
            _add_addresses(connection, found)
        case "activity":
            _add_links(connection, found)


def mailbox(name: str, address: str) -> str:
    """`Ann Lee <ann@us.example>` for people to read; `email.utils.formataddr` would encode an umlaut."""
    shown = f'"{quote(name)}"' if _SPECIAL.search(name) else name
    return f"{shown} <{address}>"


def _add_addresses(connection: Connection, found: dict[int, Fields]) -> None:
    for fields in found.values():
        fields.update(email="", phone="", emails=())
    for some in portions(found):
        for number, kind, value in connection.execute(_ADDRESSES, {"ids": some}):
            fields = found[number]
            fields[kind] = fields[kind] or value
            if kind == "email":
                fields["emails"] += (value,)


def _add_links(connection: Connection, found: dict[int, Fields]) -> None:
    """The first link of each kind is the activity's own; all linked contacts take part."""
    taking_part: dict[int, dict[int, Record]] = {number: {} for number in found}
    for fields in found.values():
        fields.update(contact=None, account=None, opportunity=None)
    for some in portions(found):
        for only_takes_part, _, number, *targets in connection.execute(_LINKS, {"ids": some}):
            for at, entity in enumerate(LINKED):
                record = stub(entity, targets[2 * at], targets[2 * at + 1])
                if record is None:
                    continue
                if entity == "contact":
                    taking_part[number].setdefault(record.id, record)
                if not only_takes_part:
                    found[number][entity] = found[number][entity] or record
    for number, fields in found.items():
        fields["participants"] = tuple(taking_part[number].values())
