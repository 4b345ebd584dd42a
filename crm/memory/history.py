"""The History of records: append-only, and read together with that of the activities connected to a record."""

from collections.abc import Sequence

from crm.checks import unknown_entity
from crm.history import line_of, row_of
from crm.mapping import LINKED
from crm.memory.shapes import Row
from crm.memory.tables import Tables
from crm.schema import SCHEMA
from procession.ports import HistoryRow, MailState
from procession.records import Ref


class MemoryHistory:
    """Implements `procession.ports.History`."""

    def __init__(self, tables: Tables) -> None:
        self._tables = tables

    def append(self, rows: Sequence[HistoryRow]) -> None:
        self._tables.insert("history", [row_of(row) for row in rows])

    def of(self, ref: Ref, limit: int = 1000) -> list[HistoryRow]:
        if ref.entity not in SCHEMA.entities:
            raise unknown_entity(ref.entity)
        activities = self._connected(ref)
        found = [
            row
            for row in self._tables["history"].rows.values()
            if (row.entity, row.record_id) == (ref.entity, ref.id)
            or row.activity_id in activities
            or (row.entity == "activity" and row.record_id in activities)
        ]
        found.sort(key=lambda row: (row.at, row.id), reverse=True)
        return [line_of(row, self._delivery(row)) for row in found[:limit]]

    def _connected(self, ref: Ref) -> set[int]:
        """The activities that count as the record's own: itself, or those it is connected to."""
        if ref.entity == "activity":
            return {ref.id}
        if ref.entity not in LINKED:
            return set()
        rows = self._tables["activity_link"].rows.values()
        return {row.activity_id for row in rows if getattr(row, f"{ref.entity}_id") == ref.id}

    def _delivery(self, row: Row) -> MailState | None:
        mail = self._tables["email_message"].rows.get(row.activity_id)
        state: MailState | None = mail.state if mail else None
        return state
