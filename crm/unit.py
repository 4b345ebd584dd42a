"""One transaction of the store, and the doors to what it holds."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property

from sqlalchemy import Connection, NestedTransaction
from typing_extensions import override

from crm.engines import make_identity
from crm.history import CrmHistory
from crm.instances import CrmJournal
from crm.news import before_commit
from crm.outbox import CrmOutbox
from crm.records import CrmRecords
from procession.ports import Clock


class CrmUnit:
    """Implements `procession.ports.Unit`. After `commit` it is closed."""

    def __init__(self, connection: Connection, clock: Clock) -> None:
        self._connection = connection
        self._clock = clock

    @cached_property
    def records(self) -> CrmRecords:
        return CrmRecords(self._connection, self._clock)

    @cached_property
    def journal(self) -> CrmJournal:
        return CrmJournal(self._connection)

    @cached_property
    def outbox(self) -> CrmOutbox:
        return CrmOutbox(self._connection)

    @cached_property
    def history(self) -> CrmHistory:
        return CrmHistory(self._connection)

    def make_identity(self) -> None:
        make_identity(self._connection)

    @contextmanager
    def nested(self) -> Iterator["NestedUnit"]:
        savepoint = self._connection.begin_nested()
        try:
            yield NestedUnit(self._connection, self._clock, savepoint)
        finally:
            if savepoint.is_active:
                savepoint.rollback()

    def commit(self) -> None:
        before_commit(self._connection)
        self._connection.commit()
        self._connection.close()


class NestedUnit(CrmUnit):
    """Implements `procession.ports.Unit` inside another one."""

    def __init__(self, connection: Connection, clock: Clock, savepoint: NestedTransaction) -> None:
        super().__init__(connection, clock)
        self._savepoint = savepoint

    @override
    def commit(self) -> None:
        self._savepoint.commit()
