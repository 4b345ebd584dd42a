"""What the statements of this package have in common: parameters, portions, numbers taken beforehand, and inserts that
meet a row which is there already; and what all parts of a unit are."""

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import Any, TypeVar

from sqlalchemy import (
    BindParameter,
    ColumnElement,
    Connection,
    Executable,
    Integer,
    Select,
    Table,
    bindparam,
    case,
    func,
    select,
    text,
)
from sqlalchemy.dialects import postgresql, sqlite

from crm.columns import UtcDateTime

IDS: BindParameter[int] = bindparam("ids", expanding=True)
NOW = bindparam("now", type_=UtcDateTime())

_T = TypeVar("_T")

MOST_AT_ONCE = 10_000
"""Values in one statement; SQLite takes 32,766."""

_LAST = text("SELECT seq FROM sqlite_sequence WHERE name = :name")


def unindexed(condition: ColumnElement[bool]) -> ColumnElement[bool]:
    """As it says, for a statement that goes by another index: a database that knows nothing of how the values are spread takes
    the partial index of this condition for a small one."""
    return case((condition, 1), else_=0) == 1


class Part:
    """A part of a unit: all it does is done on the unit's connection, in the unit's transaction."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection


def portions(values: Iterable[_T]) -> Iterator[list[_T]]:
    """In portions that one statement can hold."""
    rest = iter(values)
    while some := list(islice(rest, MOST_AT_ONCE)):
        yield some


class Upsert:
    """Insert rows; one that breaks a unique constraint is left out, or replaces the values of `replaced` in
    the row that has the same `unique` columns. `returning` gives that column of the rows that went in."""

    def __init__(
        self, table: Table, *, unique: Sequence[str] = (), replaced: Sequence[str] = (), returning: str = ""
    ) -> None:
        self._statements: dict[str, Executable] = {}
        for name, insert in (("sqlite", sqlite.insert(table)), ("postgresql", postgresql.insert(table))):
            if replaced:
                new = {column: insert.excluded[column] for column in replaced}
                statement = insert.on_conflict_do_update(index_elements=list(unique), set_=new)
            else:
                statement = insert.on_conflict_do_nothing()
            if returning:
                self._statements[name] = statement.returning(table.c[returning])
            else:
                self._statements[name] = statement.execution_options(preserve_rowcount=True)

    def on(self, connection: Connection) -> Any:
        return self._statements[connection.dialect.name]


def take_numbers(connection: Connection, table: Table, count: int) -> Sequence[int]:
    """The next `count` numbers of the table, ascending, taken before anything is written with them: so that what belongs
    together goes in by a handful of bulk inserts, in order, on both databases. On SQLite the write lock keeps them ours."""
    if not count:
        return ()
    if connection.dialect.name == "sqlite":
        last = connection.execute(_LAST, {"name": table.name}).scalar() or 0
        return range(last + 1, last + count + 1)
    return sorted(connection.execute(_next_of(table), {"count": count}).scalars())


def _next_of(table: Table) -> Select[int]:
    rows = func.generate_series(1, bindparam("count", type_=Integer()))
    return select(func.nextval(f"{table.name}_id_seq")).select_from(rows)
