"""The rows of all tables, and what one unit changes of them.

Tables that were committed are never changed: a unit copies a table when it first writes to it. So whoever reads goes
on with what it has, and a unit is rolled back by forgetting it.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from crm.bulk import Counts, Told
from crm.failures import DANGLING, not_allowed, not_unique
from crm.memory.shapes import RULES, SHAPES, Row, Shape
from procession.errors import StoreError

_NONE: Mapping[str, Any] = {}


class Table:
    """Rows by their keys, in the order in which they came; and the ways to look them up."""

    __slots__ = ("groups", "last", "marked", "rows", "shape", "unique")

    def __init__(self, shape: Shape) -> None:
        self.shape = shape
        self.last = 0
        self.rows: dict[Any, Row] = {}
        self.unique: dict[tuple[str, ...], dict[Any, Any]] = {columns: {} for columns in shape.unique}
        self.groups: dict[str, dict[Any, tuple[Any, ...]]] = {column: {} for column in shape.belongs_to}
        self.marked: dict[Any, None] = {}

    def copy(self) -> "Table":
        other = Table.__new__(Table)
        other.shape, other.last = self.shape, self.last
        other.rows, other.marked = self.rows.copy(), self.marked.copy()
        other.unique = {columns: index.copy() for columns, index in self.unique.items()}
        other.groups = {column: index.copy() for column, index in self.groups.items()}
        return other

    def of(self, column: str, value: Any) -> list[Row]:
        """The rows that belong to something, oldest first."""
        return [self.rows[key] for key in self.groups[column].get(value, ())]

    def waiting(self) -> list[Row]:
        """The marked rows."""
        return [self.rows[key] for key in self.marked]

    def known(self, columns: tuple[str, ...], *values: Any) -> Row | None:
        """The row that has these values, which are unique."""
        key = self.unique[columns].get(values)
        return None if key is None else self.rows[key]


class Tables:
    """All tables as one unit sees and changes them. A unit inside it is a place to come back to (`saved`, `undo`)."""

    __slots__ = ("_own", "_tables", "told", "writes")

    def __init__(self, tables: dict[str, Table], counts: Counts, *, writes: bool) -> None:
        self._tables, self.writes = dict(tables), writes
        self.told = Told(counts)
        self._own: set[str] = set()

    def __getitem__(self, name: str) -> Table:
        return self._tables[name]

    @property
    def is_held(self) -> bool:
        """Whether a person has to say what this database is, before anybody plans or claims."""
        row = self["installation"].rows.get(1)
        return row is not None and bool(row.held)

    # --- units

    def over(self) -> dict[str, Table]:
        """The unit is over; returns its tables, which must not be changed any more."""
        tables, self._tables = self._tables, _Over()
        return tables

    def saved(self) -> tuple[dict[str, Table], set[str]]:
        before = self._tables, self._own
        self._tables, self._own = dict(self._tables), set()
        return before

    def keep(self, before: tuple[dict[str, Table], set[str]]) -> None:
        self._own |= before[1]

    def undo(self, before: tuple[dict[str, Table], set[str]]) -> None:
        self._tables, self._own = before

    # --- changes

    def insert(self, name: str, rows: Sequence[Mapping[str, Any]]) -> list[Row]:
        """Raises:
        StoreError: a row like it is there, or what it refers to is not.
        """
        if not rows:
            return []
        table = self._mine(name)
        return [self._put(table, _made(table, row)) for row in rows]

    def insert_new(self, name: str, values: Mapping[str, Any]) -> Row | None:
        """None if a row like it is there."""
        table = self._mine(name)
        row = _made(table, values)
        return None if _taken(table, row) else self._put(table, row)

    def put(self, name: str, values: Mapping[str, Any]) -> Row:
        """Insert a row, or replace the one with its key."""
        table = self._mine(name)
        row = _made(table, values)
        if (key := table.shape.key(row)) in table.rows:
            return self.change(name, key, **values)
        return self._put(table, row)

    def change(self, name: str, key: Any, /, **values: Any) -> Row:
        """Raises:
        StoreError: another row has a value that is unique, or what it refers to is not there.
        """
        table = self._mine(name)
        shape, old = table.shape, table.rows[key]
        for column, kept in shape.kept.items():
            if column in values:
                values[column] = kept(values[column])
        values = {column: value for column, value in values.items() if value != getattr(old, column)}
        if not values:
            return old
        new = old._replace(**values)
        self._must_refer(shape, new, values)
        _leave(table, key, old, values)
        if taken := _taken(table, new, values):
            _enter(table, key, old, values)
            raise not_unique(name, taken)
        _enter(table, key, new, values)
        table.rows[key] = new
        return new

    def delete(self, name: str, keys: Iterable[Any]) -> None:
        """And what belongs to them.

        Raises:
            StoreError: a row is still needed.
        """
        table = self._mine(name)
        for key in list(keys):
            if key not in table.rows:
                continue
            for other, column, then in table.shape.referred_by:
                self._let_go(other, column, key, then)
            row = table.rows.pop(key)
            _leave(table, key, row)

    def _let_go(self, other: str, column: str, key: Any, then: str) -> None:
        there = self._tables[other]
        if column in there.groups:
            found = list(there.groups[column].get(key, ()))
        else:
            found = [each for each, row in there.rows.items() if getattr(row, column) == key]
        if not found:
            return
        if then == "CASCADE":
            self.delete(other, found)
        elif then == "SET NULL":
            for each in found:
                self.change(other, each, **{column: None})
        else:
            raise StoreError(DANGLING)

    def _mine(self, name: str) -> Table:
        if name not in self._own:
            if not self.writes:
                raise RuntimeError("This unit only reads.")
            self._tables[name] = self._tables[name].copy()
            self._own.add(name)
        return self._tables[name]

    def _put(self, table: Table, row: Row) -> Row:
        key = table.shape.key(row)
        if key in table.rows:
            raise StoreError(f"The database refused the change: {table.shape.name} {key} is there.")
        if taken := _taken(table, row):
            raise not_unique(table.shape.name, taken)
        self._must_refer(table.shape, row)
        for rule, holds in RULES.get(table.shape.name, _NONE).items():
            if not holds(row):
                raise not_allowed(table.shape.name, rule)
        table.rows[key] = row
        _enter(table, key, row)
        return row

    def _must_refer(self, shape: Shape, row: Row, changed: Iterable[str] | None = None) -> None:
        for column, other in shape.refers_to:
            if changed is not None and column not in changed:
                continue
            value = getattr(row, column)
            if value is not None and value not in self._tables[other].rows:
                raise StoreError(DANGLING)


class _Over(dict[str, Table]):
    def __missing__(self, name: str) -> Table:
        raise RuntimeError("This unit is over.")


def empty_tables() -> dict[str, Table]:
    return {name: Table(shape) for name, shape in SHAPES.items()}


def _made(table: Table, values: Mapping[str, Any]) -> Row:
    shape = table.shape
    whole = {**shape.given, **values}
    for column, kept in shape.kept.items():
        whole[column] = kept(whole[column])
    if shape.numbered:
        if whole["id"] is None:
            whole["id"] = table.last + 1
        table.last = max(table.last, whole["id"])
    for column in shape.required:
        if whole[column] is None:
            raise StoreError(f"The database refused the change: {shape.name}.{column} is missing.")
    return shape.row(**whole)


def _taken(table: Table, row: Row, changed: Iterable[str] | None = None) -> tuple[str, ...]:
    """The columns in which another row is the same and must not be."""
    for columns, index in table.unique.items():
        if changed is None or any(column in changed for column in columns):
            value = tuple([getattr(row, column) for column in columns])
            if None not in value and value in index:
                return columns
    return ()


def _enter(table: Table, key: Any, row: Row, changed: Iterable[str] | None = None) -> None:
    for columns, index in table.unique.items():
        if changed is None or any(column in changed for column in columns):
            value = tuple([getattr(row, column) for column in columns])
            if None not in value:
                index[value] = key
    for column, group in table.groups.items():
        if changed is None or column in changed:
            value = getattr(row, column)
            group[value] = (*group.get(value, ()), key)
    if table.shape.is_marked and table.shape.is_marked(row):
        table.marked[key] = None


def _leave(table: Table, key: Any, row: Row, changed: Iterable[str] | None = None) -> None:
    for columns, index in table.unique.items():
        if changed is None or any(column in changed for column in columns):
            value = tuple([getattr(row, column) for column in columns])
            if None not in value:
                del index[value]
    for column, group in table.groups.items():
        if changed is None or column in changed:
            value = getattr(row, column)
            group[value] = tuple(each for each in group[value] if each != key)
    if table.shape.is_marked:
        table.marked.pop(key, None)
