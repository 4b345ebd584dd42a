"""Numbers for new records, taken before they are written.

So that any number of records and all that belongs to them go in by a handful of bulk inserts, in order,
on both databases, without asking row by row what number the database gave.
"""

from collections.abc import Sequence

from sqlalchemy import Connection, Integer, Select, Table, bindparam, func, select, text

_LAST = text("SELECT seq FROM sqlite_sequence WHERE name = :name")


def take(connection: Connection, table: Table, count: int) -> Sequence[int]:
    """The next `count` numbers of the table, ascending. On SQLite the write lock keeps them ours."""
    if not count:
        return ()
    if connection.dialect.name == "sqlite":
        last = connection.execute(_LAST, {"name": table.name}).scalar() or 0
        return range(last + 1, last + count + 1)
    return sorted(connection.execute(_next_of(table), {"count": count}).scalars())


def _next_of(table: Table) -> Select[int]:
    rows = func.generate_series(1, bindparam("count", type_=Integer()))
    return select(func.nextval(f"{table.name}_id_seq")).select_from(rows)
