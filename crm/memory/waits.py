"""What instances wait for. See `crm.waits`."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from crm.looking_back import sought_of
from crm.memory.correlations import arrive, arrived, came_for, sought_by
from crm.memory.shapes import Row
from crm.memory.tables import Tables
from crm.waits import is_touched, keys_of, row_of, rows_of_sought, touched_by, wait_of
from procession.ports import Correlation, Event, Sought, Wait
from procession.records import Ref

_KEY = ("instance_id", "scope")


class MemoryWaits:
    """See `procession.ports.Journal`."""

    _tables: Tables

    def waits(self, instances: Collection[int]) -> dict[int, tuple[Wait, ...]]:
        found = {number: self._tables["wait"].of("instance_id", number) for number in instances}
        return {
            number: tuple(self._wait(row) for row in sorted(rows, key=_order))
            for number, rows in found.items()
            if rows
        }

    def _wait(self, row: Row) -> Wait:
        reads = self._tables["wait_read"].of("wait_id", row.id)
        sought = sorted(map(sought_of, self._tables["subscription"].of("wait_id", row.id)), key=_kind_and_key)
        fields = tuple(sorted((Ref(read.entity, read.record_id), read.field) for read in reads))
        return wait_of(row, fields, tuple(sought))

    def longest_waits(self, limit: int) -> list[Wait]:
        asleep = [row for row in self._tables["wait"].rows.values() if row.woken_at is None]
        longest = sorted(asleep, key=lambda row: (row.since, row.id))[:limit]
        return [replace(self._wait(row), reads=()) for row in longest]

    def save_waits(self, waits: Sequence[Wait]) -> None:
        for wait in waits:
            before = self._tables["wait"].known(_KEY, wait.instance, wait.scope)
            if (
                before
                and wait.kind == before.kind == "event"
                and (before.path, before.round) == (wait.path, wait.round)
            ):
                self._go_on(before, wait)
                continue
            if before:
                self._tables.delete("wait", [before.id])
            (row,) = self._tables.insert("wait", [row_of(wait)])
            self._read(row.id, wait)
            self._tables.insert("subscription", rows_of_sought(row.id, wait))

    def _go_on(self, before: Row, wait: Wait) -> None:
        sought = self._tables["subscription"].of("wait_id", before.id)
        is_changed = keys_of(map(sought_of, sought)) != keys_of(wait.sought)
        self._tables.change(
            "wait", before.id, due=wait.due, expires=wait.expires, as_of=wait.as_of, is_new=is_changed or bool(wait.reads) or any(row.is_new for row in sought),
            woken_at=None, hastened=False,
        )  # fmt: skip
        self._forget_reads(before.id)
        self._read(before.id, wait)
        if is_changed:
            self._tables.delete("subscription", [(row.wait_id, row.kind, row.key) for row in sought])
            self._tables.insert("subscription", rows_of_sought(before.id, wait))
        for event in wait.judged:
            self._tables.change("arrived_event", (before.id, event), judged=True)
        if any(not row.judged for row in self._tables["arrived_event"].of("wait_id", before.id)):
            self._tables.change("wait", before.id, woken_at=before.since)

    def _read(self, number: int, wait: Wait) -> None:
        reads = [
            {"wait_id": number, "entity": ref.entity, "record_id": ref.id, "field": field}
            for ref, field in wait.reads
        ]
        self._tables.insert("wait_read", reads)

    def _forget_reads(self, number: int) -> None:
        reads = self._tables["wait_read"].of("wait_id", number)
        self._tables.delete(
            "wait_read", [(read.wait_id, read.entity, read.record_id, read.field) for read in reads]
        )

    def drop_waits(self, waits: Collection[tuple[int, int]]) -> None:
        rows = [row for key in waits if (row := self._tables["wait"].known(_KEY, *key))]
        if rows:
            self._tables.delete("wait", [row.id for row in rows])

    def wake_due(self, now: datetime, limit: int, *, unseen: datetime | None = None) -> int:
        """As the databases do, whole instances: up to `limit` of them."""
        due = [row for row in self._tables["wait"].waiting() if row.due <= now and _may_wake(row, unseen)]
        due.sort(key=lambda row: (row.due, row.id))
        instances = {row.instance_id for row in due[:limit]}
        return self._wake((row for row in due if row.instance_id in instances), now)

    def wake_by(self, events: Sequence[Event], now: datetime, limit: int) -> int:
        """What is woken reads no more. See `crm.waits`."""
        rows, waits = self._tables["wait"].rows, set()
        for unit, entity, changed, deleted in touched_by(events):
            for read in self._tables["wait_read"].rows.values():
                is_touched = (read.record_id, read.field) in changed or read.record_id in deleted
                wait = rows[read.wait_id]
                if is_touched and read.entity == entity and wait.woken_at is None and wait.as_of < unit:
                    waits.add(read.wait_id)
        chosen = sorted(waits)[:limit]
        self._wake((rows[number] for number in chosen), now)
        for number in chosen:
            self._forget_reads(number)
        return len(chosen)

    def wake(
        self, instance: int, path: str, round: str, now: datetime, *, hasten: bool = False  # noqa: A002  # a column's name
    ) -> bool:  # fmt: skip
        rows = [
            row
            for row in self._tables["wait"].of("instance_id", instance)
            if (row.path, row.round) == (path, round)
        ]
        woken = self._wake(rows, now) > 0
        for row in rows if hasten else ():
            self._tables.change("wait", row.id, hastened=True)
        return woken

    def look_back(self, now: datetime, limit: int) -> int:
        new = [row for row in self._tables["wait"].rows.values() if row.is_new][:limit]
        pairs = came_for(self._tables, [row for row in new if row.kind == "event"])
        arrive(self._tables, pairs, again=True)
        came = {wait for wait, _ in pairs}
        for row in new:
            if row.id in came or self._is_outdated(row):
                self._wake([row], now)
            self._tables.change("wait", row.id, is_new=False)
        return len(new)

    def _is_outdated(self, row: Row) -> bool:
        events = [one for one in self._tables["event"].rows.values() if (one.dispatch or 0) > row.as_of]
        return any(
            (event.entity, event.record_id) == (read.entity, read.record_id)
            and is_touched(read.field, event.type, event.changed or ())
            for read in self._tables["wait_read"].of("wait_id", row.id)
            for event in events
        )

    def awaited(self, kinds: Collection[str]) -> set[str]:
        return {row.kind for row in self._tables["subscription"].rows.values()} & {*kinds}

    def give_up_looking_back(self, error: Mapping[str, Any]) -> None:
        row = next(row for row in self._tables["wait"].rows.values() if row.is_new)
        self._tables.change("wait", row.id, is_new=False)
        if self._tables["instance"].rows[row.instance_id].state in ("ready", "waiting"):
            self._tables.change("instance", row.instance_id, state="incident", error=error)

    def correlate(self, correlations: Sequence[Correlation], now: datetime, limit: int) -> set[int]:
        pairs, unfinished = sought_by(self._tables, correlations, limit)
        arrive(self._tables, pairs)
        self._wake((self._tables["wait"].rows[number] for number in sorted({wait for wait, _ in pairs})), now)
        return unfinished

    def arrived(self, instances: Collection[int]) -> dict[tuple[int, int], tuple[Event, ...]]:
        return arrived(self._tables, instances)

    def consume(self, events: Collection[tuple[int, int]]) -> None:
        for instance, event in sorted(events):
            self._tables.put("consumed_event", {"instance_id": instance, "event_id": event})

    def _wake(self, rows: Iterable[Row], now: datetime) -> int:
        asleep = [row for row in rows if row.woken_at is None]
        for row in asleep:
            self._tables.change("wait", row.id, woken_at=now)
            if self._tables["instance"].rows[row.instance_id].state == "waiting":
                self._tables.change("instance", row.instance_id, state="ready")
        return len(asleep)


def _may_wake(row: Row, unseen: datetime | None) -> bool:
    return row.kind != "event" or (not row.is_new and (unseen is None or row.due < unseen))


def _kind_and_key(sought: Sought) -> tuple[str, str]:
    return sought.kind, sought.key


def _order(row: Row) -> tuple[bool, datetime | None, int]:
    return row.woken_at is None, row.woken_at or row.since, row.id
