"""Which waits an event is for. See `crm.correlations`."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from crm.correlations import ALL, MOST_RECORDS, seeker_of
from crm.events import event_of
from crm.looking_back import FEW, Window, came_before
from crm.memory.reading import fields_by_id
from crm.memory.searching import find
from crm.memory.shapes import Row
from crm.memory.tables import Tables
from crm.reading import followed
from procession.ports import Correlation, Event
from procession.records import Record, Ref


def sought_by(
    tables: Tables, correlations: Sequence[Correlation], limit: int
) -> tuple[list[tuple[int, int]], set[int]]:
    pairs: list[tuple[int, int]] = []
    unfinished, left = set(), limit
    for one in sorted(correlations, key=lambda one: one.event.id):
        reached = tables["event"].rows[one.event.id].correlated
        if reached < ALL and left:
            rows = _seeking(tables, one, reached)[:left]
            pairs += [(row.id, one.event.id) for row in rows if _instance(tables, row) not in one.superseding]
            reached = ALL if len(rows) < left else rows[-1].id
            tables.change("event", one.event.id, correlated=reached)
            left -= len(rows)
        if reached < ALL:
            unfinished.add(one.event.id)
    return pairs, unfinished


def _seeking(tables: Tables, one: Correlation, after: int) -> list[Row]:
    numbers = {
        row.wait_id
        for row in tables["subscription"].rows.values()
        if row.kind in one.kinds
        and row.key in one.keys
        and row.wait_id > after
        and row.as_of < (one.event.dispatch or ALL)
    }
    rows = [tables["wait"].rows[number] for number in sorted(numbers)]
    consumed = tables["consumed_event"].rows
    return [row for row in rows if (row.instance_id, one.event.id) not in consumed]


def arrive(tables: Tables, pairs: Iterable[tuple[int, int]], *, again: bool = False) -> None:
    there = set() if again else tables["arrived_event"].rows.keys()
    for wait, event in sorted({*pairs} - there):
        tables.put("arrived_event", {"wait_id": wait, "event_id": event, "judged": False})


def _instance(tables: Tables, wait: Row) -> tuple[str, str]:
    row = tables["instance"].rows[wait.instance_id]
    return row.process, row.key


def arrived(tables: Tables, instances: Collection[int]) -> dict[tuple[int, int], tuple[Event, ...]]:
    found: dict[tuple[int, int], list[Event]] = defaultdict(list)
    for number in instances:
        for wait in tables["wait"].of("instance_id", number):
            rows = [
                tables["event"].rows[row.event_id]
                for row in tables["arrived_event"].of("wait_id", wait.id)
                if not row.judged
            ]
            if rows:
                found[number, wait.scope] = [event_of(row) for row in sorted(rows, key=lambda row: row.id)]
    return {key: tuple(events) for key, events in found.items()}


def came_for(tables: Tables, waits: Sequence[Row]) -> set[tuple[int, int]]:
    """`(wait, event)` of what came before these waits were kept."""
    seekers = [
        seeker_of(row, wait, _began(tables, wait))
        for wait in waits
        for row in tables["subscription"].of("wait_id", wait.id)
        if row.is_new
    ]
    for seeker in seekers:
        tables.change("subscription", (seeker.wait, seeker.sought.kind, seeker.sought.key), is_new=False)
    consumed = {(row.instance_id, row.event_id) for row in tables["consumed_event"].rows.values()}
    return came_before(seekers, consumed, _Log(tables))


@dataclass(frozen=True, slots=True)
class _Began:
    event_id: int
    dispatch: int | None


def _began(tables: Tables, wait: Row) -> _Began | None:
    number = tables["instance"].rows[wait.instance_id].event_id
    event = tables["event"].rows.get(number)
    return _Began(event.id, event.dispatch) if event else None


@dataclass(frozen=True, slots=True)
class _Log:
    """Implements `crm.looking_back.Log`."""

    tables: Tables

    def few(self, window: Window) -> bool:
        return len(self._in(Window(window.unit))) <= FEW

    def of_records(self, entity: str, numbers: Collection[int], window: Window) -> list[Event]:
        return [
            event
            for event in self._in(window)
            if event.ref and event.ref.entity == entity and event.ref.id in numbers
        ]

    def of_kind(self, entity: str, type: str, window: Window) -> list[Event]:  # noqa: A002  # a column's name
        return [
            event
            for event in self._in(window)
            if event.ref and (event.ref.entity, event.type) == (entity, type)
        ]

    def named(self, type: str, name: str, window: Window) -> list[Event]:  # noqa: A002  # a column's name
        return [event for event in self._in(window) if (event.type, event.name) == (type, name)]

    def referring(self, entity: str, field: str, refs: Collection[Ref]) -> list[Record]:
        return find(self.tables, entity, {field: tuple(refs)}, "", MOST_RECORDS)

    def fetch(self, refs: Collection[Ref]) -> Mapping[Ref, Record]:
        return followed(partial(fields_by_id, self.tables), refs, frozenset())

    def _in(self, window: Window) -> list[Event]:
        rows = self.tables["event"].rows
        return [
            event_of(rows[number])
            for number in sorted(rows)
            if (unit := rows[number].dispatch)
            and (unit >= window.unit or (window.since is not None and rows[number].at >= window.since))
        ]
