"""How the fields of the schema lie in the tables, and the statements that read records.

A field is a column of its own name, or a reference in `<name>_id`, or one of the few that `crm.reading`
computes: a contact's addresses, an activity's links, `is_open`, `mailbox`.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from sqlalchemy import ColumnElement, FromClause, Select, Table, func, select

from crm import tables as t
from crm.columns import METADATA
from crm.schema import SCHEMA
from procession.records import Type

TABLES: Mapping[str, Table] = {entity: METADATA.tables[entity] for entity in SCHEMA.entities}
_ENDS = [key.column.table.name for column in t.activity_link.c for key in column.foreign_keys]
LINKED = tuple(entity for entity in _ENDS if entity != "activity")
"""What an activity can be connected to."""


@dataclass(frozen=True, slots=True)
class Layout:
    """`plain` fields, then each of `references` (`{field: entity}`) as a number and a name, in the order of
    the columns of `select`; the record's own number stands before them."""

    table: Table
    plain: tuple[str, ...]
    references: Mapping[str, str]
    select: Select[tuple[object, ...]]


def _layout(entity: str) -> Layout:
    table = TABLES[entity]
    fields = SCHEMA.entity(entity).fields
    plain: dict[str, ColumnElement[object]] = {name: table.c[name] for name in fields if name in table.c}
    source: FromClause = table
    if entity == "activity":
        source = source.outerjoin(t.category)
        plain["category"] = func.coalesce(t.category.c.name, "")
        plain["is_meeting"] = func.coalesce(t.category.c.is_meeting, False)
    references = {
        name: field.type.of
        for name, field in fields.items()
        if field.type.name == "record" and f"{name}_id" in table.c
    }
    names: list[ColumnElement[object]] = []
    for name, target in references.items():
        other = TABLES[target].alias(name)
        source = source.outerjoin(other, table.c[f"{name}_id"] == other.c.id)
        names += [table.c[f"{name}_id"], other.c.name]
    columns = [table.c.id, *(column.label(name) for name, column in plain.items()), *names]
    return Layout(table, tuple(plain), references, select(*columns).select_from(source))


LAYOUTS: Mapping[str, Layout] = {entity: _layout(entity) for entity in TABLES}


def refers_to(entity: str, field: str) -> str:
    """The entity that a field refers to, or whose records it lists; empty for other fields."""
    known = SCHEMA.field(entity, field)
    type_: Type | None = known.type if known else None
    if type_ and type_.item:
        type_ = type_.item
    return type_.of if type_ else ""
