"""Bursts of saves that triggers wait out. See `crm.bursts`."""

from collections.abc import Collection, Sequence
from datetime import datetime

from crm.bursts import burst_of, columns_of, row_of
from crm.memory.tables import Tables
from procession.ports import Burst, BurstKey


class MemoryBursts:
    """See `procession.ports.Journal`."""

    _tables: Tables

    def bursts(self, keys: Collection[BurstKey]) -> dict[BurstKey, Burst]:
        rows = self._tables["burst"].rows
        return {key: burst_of(rows[columns_of(key)]) for key in keys if columns_of(key) in rows}

    def save_bursts(self, bursts: Sequence[Burst]) -> None:
        for burst in bursts:
            self._tables.put("burst", row_of(burst))

    def due_bursts(self, now: datetime, limit: int) -> list[Burst]:
        due = [row for row in self._tables["burst"].rows.values() if row.due <= now]
        due.sort(key=lambda row: (row.due, row.event, row.process, row.trigger))
        return list(map(burst_of, due[:limit]))

    def drop_bursts(self, keys: Collection[BurstKey]) -> None:
        self._tables.delete("burst", map(columns_of, keys))
