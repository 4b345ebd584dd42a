"""One transaction of the store, and the doors to what it holds."""

from functools import cached_property

from sqlalchemy import Connection

from crm.history import CrmHistory
from crm.instances import CrmJournal
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

    def commit(self) -> None:
        self._connection.commit()
        self._connection.close()
