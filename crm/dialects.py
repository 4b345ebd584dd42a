"""Inserts that meet a row which is there already: one statement per database, since SQLAlchemy has no common one."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, Executable, Table
from sqlalchemy.dialects import postgresql, sqlite


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
