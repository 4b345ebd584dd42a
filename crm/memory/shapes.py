"""What the tables of the store say of themselves, read from their definitions (`crm.tables`, `crm.journal`)."""

import json
from collections import namedtuple
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from operator import itemgetter
from typing import Any

from sqlalchemy import JSON, Column, Table, UniqueConstraint

import crm.journal
import crm.tables  # noqa: F401 - all tables are wanted
from crm.columns import METADATA, Money, UtcDateTime, dumps

Row = Any
"""A frozen row, its columns as attributes."""


@dataclass(frozen=True, slots=True)
class Shape:
    """A table. A row is known by its `key`: the value of one column, or of several as a tuple.

    `kept` turns values of a column into what a database would give back. `unique` are sets of columns; NULL differs
    from everything. `belongs_to` are columns by which rows are looked up. `refers_to` are `(column, table)`,
    `referred_by` `(table, column, what becomes of a row there when the row here is deleted)`. `marks` are rows that
    something is still to happen to.
    """

    name: str
    row: Callable[..., Row]
    key: Callable[[Row], Any]
    numbered: bool
    given: Mapping[str, Any]
    required: tuple[str, ...]
    kept: Mapping[str, Callable[[Any], Any]]
    unique: tuple[tuple[str, ...], ...]
    belongs_to: tuple[str, ...]
    refers_to: tuple[tuple[str, str], ...]
    referred_by: tuple[tuple[str, str, str], ...]
    is_marked: Callable[[Row], bool] | None


_MARKS: Mapping[str, Callable[[Row], bool]] = {
    "event": lambda row: row.dispatched_at is None,
    "instance": lambda row: row.ended_at is None,
    "email_message": lambda row: row.state in ("held", "queued", "sending"),
    "wait": lambda row: row.woken_at is None and row.due is not None,
}


RULES: Mapping[str, Mapping[str, Callable[[Row], bool]]] = {
    "participant": {"someone": lambda row: row.contact_id is not None or row.address != ""}
}
"""By table, the CHECK constraints that can be broken through the ports."""


def _shape(table: Table) -> Shape:
    columns = list(table.c)
    keys = [column.name for column in table.primary_key]
    fields = namedtuple(table.name, [column.name for column in columns])  # type: ignore[misc]  # noqa: PYI024 - made of what the table says
    rules = [rule.columns for rule in table.constraints if isinstance(rule, UniqueConstraint)]
    rules += [index.columns for index in table.indexes if index.unique]
    return Shape(
        table.name,
        fields,
        itemgetter(*(fields._fields.index(name) for name in keys)),
        keys == ["id"],
        {column.name: column.default.arg if column.default is not None else None for column in columns},  # type: ignore[attr-defined]  # all are plain values
        tuple(column.name for column in columns if not column.nullable and column.name != "id"),
        {column.name: kept for column in columns if (kept := _kept(column))},
        tuple(tuple(column.name for column in rule) for rule in rules),
        tuple(column.name for column in columns if column.foreign_keys and not column.nullable and keys != [column.name]),
        tuple((column.name, key.column.table.name) for column in columns for key in column.foreign_keys),
        tuple(
            (other.name, column.name, key.ondelete or "")
            for other in METADATA.tables.values()
            for column in other.c
            for key in column.foreign_keys
            if key.column.table is table
        ),
        _MARKS.get(table.name),
    )  # fmt: skip


def _kept(column: "Column[Any]") -> Callable[[Any], Any] | None:
    if isinstance(column.type, UtcDateTime):
        return _in_utc
    if isinstance(column.type, JSON):
        return _as_json
    return _to_the_cent if isinstance(column.type, Money) else None


def _in_utc(value: datetime | None) -> datetime | None:
    if value is None or value.tzinfo is UTC:
        return value
    if value.tzinfo is None:
        raise ValueError(f"{value} has no time zone")
    return value.astimezone(UTC)


def _as_json(value: Any) -> Any:
    """A copy, that whoever gave it cannot change. Whoever reads it does not: it is a `Mapping` there."""
    return None if value is None else json.loads(dumps(value))


def _to_the_cent(value: float | None) -> float | None:
    return None if value is None else round(value, Money.cents)


SHAPES: Mapping[str, Shape] = {name: _shape(table) for name, table in METADATA.tables.items()}
