"""Units on the tables: one writer at a time, and readers that see what was committed last when they began."""

import threading
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property

from typing_extensions import override

from crm.bulk import Counts
from crm.clock import SystemClock
from crm.database import BUSY_SECONDS
from crm.failures import busy
from crm.memory.history import MemoryHistory
from crm.memory.journal import MemoryJournal
from crm.memory.outbox import MemoryOutbox
from crm.memory.records import MemoryRecords
from crm.memory.tables import Table, Tables, empty_tables
from crm.schema import SCHEMA
from procession.ports import Clock, Identity
from procession.records import Schema

CATEGORIES = {"meeting": True, "call": False, "to do": False, "paperwork": False}
"""Those of a new database, and whether they make a task a meeting."""


class MemoryStore:
    """Implements `procession.ports.Store`. It is gone with the process."""

    def __init__(self, clock: Clock | None = None) -> None:
        self.clock = clock or SystemClock()
        self._one_writer = threading.Lock()
        self._counts = Counts()
        tables = Tables(empty_tables(), self._counts, writes=True)
        tables.insert(
            "category", [{"name": name, "is_meeting": is_meeting} for name, is_meeting in CATEGORIES.items()]
        )
        tables.insert("installation", [{"installation": uuid.uuid4().hex, "incarnation": uuid.uuid4().hex}])
        tables.insert("planner", [{"engine_id": None, "epoch": 0}])
        self._committed = tables.over()

    @property
    def identity(self) -> Identity:
        (row,) = self._committed["installation"].rows.values()
        return Identity(row.installation, row.incarnation)

    def look_again(self) -> None:
        """It always does."""

    @property
    def schema(self) -> Schema:
        return SCHEMA

    @contextmanager
    def unit(self, *, write: bool = True) -> Iterator["MemoryUnit"]:
        if write and not self._one_writer.acquire(timeout=BUSY_SECONDS):
            raise busy()
        tables = Tables(self._committed, self._counts, writes=write)
        try:
            yield MemoryUnit(tables, self.clock, self)
        finally:
            tables.over()
            if write:
                self._one_writer.release()

    def copy(self, clock: Clock | None = None) -> "MemoryStore":
        """Another store that begins with what is committed here, and which database it is."""
        other = MemoryStore(clock or self.clock)
        other._committed = self._committed
        return other

    def commit(self, tables: dict[str, Table]) -> None:
        self._committed = tables

    def close(self) -> None: ...


class MemoryUnit:
    """Implements `procession.ports.Unit`. After `commit` it is closed."""

    def __init__(self, tables: Tables, clock: Clock, store: MemoryStore) -> None:
        self._tables, self._clock, self._store = tables, clock, store

    @cached_property
    def records(self) -> MemoryRecords:
        return MemoryRecords(self._tables, self._clock)

    @cached_property
    def journal(self) -> MemoryJournal:
        return MemoryJournal(self._tables)

    @cached_property
    def outbox(self) -> MemoryOutbox:
        return MemoryOutbox(self._tables)

    @cached_property
    def history(self) -> MemoryHistory:
        return MemoryHistory(self._tables)

    @contextmanager
    def nested(self) -> Iterator["NestedUnit"]:
        before = self._tables.saved()
        inner = NestedUnit(self._tables, self._clock, self._store)
        try:
            yield inner
        finally:
            if inner.is_committed:
                self._tables.keep(before)
            else:
                self._tables.undo(before)

    def commit(self) -> None:
        tables = self._tables.over()
        if self._tables.writes:
            self._store.commit(tables)


class NestedUnit(MemoryUnit):
    """Implements `procession.ports.Unit` inside another one."""

    is_committed = False

    @override
    def commit(self) -> None:
        self.is_committed = True
