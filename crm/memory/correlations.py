"""Which waits an event is for. See `crm.correlations`."""

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from crm.correlations import ALL, MOST_RECORDS
from crm.events import event_of
from crm.looking_back import Seeker, came_before, sought_of
from crm.memory.reading import fields_by_id
from crm.memory.searching import find
from crm.memory.shapes import Row
from crm.memory.tables import Tables
from crm.reading import followed
from procession.ports import Correlation, Event
from procession.records import Record, Ref


def correlate(tables: Tables, correlations: Sequence[Correlation], limit: int) -> set[int]:
    waits: set[int] = set()
    left = limit
    for one in sorted(correlations, key=lambda one: one.event.id):
        reached = tables["event"].rows[one.event.id].correlated
        if left and reached < ALL:
            found = _handed(tables, one, reached, left)
            waits |= found
            left -= len(found)
    return waits


def _handed(tables: Tables, one: Correlation, after: int, limit: int) -> set[int]:
    seeking = {
        row.wait_id
        for row in tables["subscription"].rows.values()
        if row.kind in one.kinds and row.key in one.keys and row.wait_id > after
    }
    rows = [tables["wait"].rows[number] for number in sorted(seeking)]
    rows = [row for row in rows if row.as_of < one.event.dispatch][:limit]
    chosen = [row.id for row in rows if _instance(tables, row) not in one.superseding]
    for number in chosen:
        tables.put("arrived_event", {"wait_id": number, "event_id": one.event.id})
    is_last = len(rows) < limit
    tables.change("event", one.event.id, correlated=ALL if is_last else rows[-1].id)
    return {row.id for row in rows}


def _instance(tables: Tables, wait: Row) -> tuple[str, str]:
    row = tables["instance"].rows[wait.instance_id]
    return row.process, row.key


def arrived(tables: Tables, instances: Collection[int]) -> dict[tuple[int, int], tuple[Event, ...]]:
    found: dict[tuple[int, int], list[Event]] = defaultdict(list)
    for number in instances:
        for wait in tables["wait"].of("instance_id", number):
            rows = [
                tables["event"].rows[row.event_id] for row in tables["arrived_event"].of("wait_id", wait.id)
            ]
            if rows:
                found[number, wait.scope] = [event_of(row) for row in sorted(rows, key=lambda row: row.id)]
    return {key: tuple(events) for key, events in found.items()}


def look_back(tables: Tables, waits: Sequence[Row]) -> set[int]:
    """The waits for which something came before they were kept; it has arrived now."""
    instances = tables["instance"].rows
    seekers = [
        Seeker(
            row.wait_id,
            wait.instance_id,
            sought_of(row),
            wait.as_of,
            instances[wait.instance_id].event_id or 0,
        )
        for wait in waits
        for row in tables["subscription"].of("wait_id", wait.id)
    ]
    consumed = {(row.instance_id, row.event_id) for row in tables["consumed_event"].rows.values()}
    pairs = came_before(seekers, consumed, _Log(tables))
    for wait, event in sorted(pairs):
        tables.put("arrived_event", {"wait_id": wait, "event_id": event})
    return {wait for wait, _ in pairs}


@dataclass(frozen=True, slots=True)
class _Log:
    """Implements `crm.looking_back.Log`."""

    tables: Tables

    def of_records(self, entity: str, numbers: Collection[int], after: int) -> list[Event]:
        return [
            event
            for event in self._taken_up(after)
            if event.ref and event.ref.entity == entity and event.ref.id in numbers
        ]

    def of_kind(self, entity: str, type: str, after: int) -> list[Event]:  # noqa: A002  # a column's name
        return [
            event
            for event in self._taken_up(after)
            if event.ref and (event.ref.entity, event.type) == (entity, type)
        ]

    def named(self, type: str, name: str, after: int) -> list[Event]:  # noqa: A002  # a column's name
        return [event for event in self._taken_up(after) if (event.type, event.name) == (type, name)]

    def referring(self, entity: str, field: str, refs: Collection[Ref]) -> list[Record]:
        return find(self.tables, entity, {field: tuple(refs)}, "", MOST_RECORDS)

    def fetch(self, refs: Collection[Ref]) -> Mapping[Ref, Record]:
        return followed(partial(fields_by_id, self.tables), refs, frozenset())

    def _taken_up(self, after: int) -> list[Event]:
        rows = self.tables["event"].rows
        return [event_of(rows[number]) for number in sorted(rows) if number > after and rows[number].dispatch]
