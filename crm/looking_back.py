"""What came before a wait was kept, and counts for it: read from the event log, by the same keys.

A record is found by what it refers to now, as its event was when that was dispatched.
"""

import re
from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from crm.schema import SCHEMA
from procession.correlation import keys_of
from procession.ports import ANY_KEY, Event, Sought
from procession.records import Record, Ref, ref_of
from procession.values import from_json

FEW = 1_000
"""Events that are looked through one by one, rather than all records that refer to something."""
_REF = re.compile(r"[a-z_]+:[0-9]+")


@dataclass(frozen=True, slots=True)
class Window:
    """Events that planners took up in this unit or a later one, or that happened since a moment."""

    unit: int
    since: datetime | None = None


class Log(Protocol):
    """The events in a window, oldest first, and the records that they are about."""

    def few(self, window: Window) -> bool:
        """Whether they are `FEW` at most."""
        ...

    def of_records(self, entity: str, numbers: Collection[int], window: Window) -> list[Event]: ...

    def of_kind(self, entity: str, type: str, window: Window) -> list[Event]: ...  # noqa: A002  # a column's name

    def named(self, type: str, name: str, window: Window) -> list[Event]: ...  # noqa: A002  # a column's name

    def referring(self, entity: str, field: str, refs: Collection[Ref]) -> list[Record]: ...

    def fetch(self, refs: Collection[Ref]) -> Mapping[Ref, Record]: ...


@dataclass(frozen=True, slots=True)
class Seeker:
    """One thing that a wait is for. `began` is the event that started its instance, `began_in` the unit that took that up:
    what was dispatched later counts, whatever its number, since numbers are drawn before they are committed."""

    wait: int
    instance: int
    sought: Sought
    as_of: int
    began: int
    began_in: int

    @property
    def unit(self) -> int:
        """What was taken up in an earlier one does not count, unless it happened `since` a moment."""
        return min(self.began_in, self.as_of + 1) if self.sought.since_began else self.as_of + 1

    def counts(self, event: Event) -> bool:
        if event.dispatch > self.as_of or (self.sought.since is not None and event.at >= self.sought.since):
            return True
        began = (self.began_in, self.began)
        return self.sought.since_began and (event.dispatch, event.id) > began


def sought_of(row: Any) -> Sought:
    return Sought(row.kind, row.key, row.since, since_began=row.since_began)


def came_before(
    seekers: Sequence[Seeker], consumed: Collection[tuple[int, int]], log: Log
) -> set[tuple[int, int]]:
    """`(wait, event)`; without what its instance took already."""
    by_kind: dict[str, dict[str, list[Seeker]]] = defaultdict(lambda: defaultdict(list))
    for seeker in seekers:
        by_kind[seeker.sought.kind][seeker.sought.key].append(seeker)
    return {
        (seeker.wait, event.id)
        for kind, by_key in by_kind.items()
        for event, keys in _events(kind, by_key, log)
        for key in keys & by_key.keys()
        for seeker in by_key[key]
        if seeker.counts(event) and (seeker.instance, event.id) not in consumed
    }


def _events(kind: str, by_key: Mapping[str, list[Seeker]], log: Log) -> list[tuple[Event, frozenset[str]]]:
    """Candidates with their keys."""
    seekers = [seeker for some in by_key.values() for seeker in some]
    moments = [seeker.sought.since for seeker in seekers if seeker.sought.since]
    window = Window(min(seeker.unit for seeker in seekers), min(moments, default=None))
    word, _, name = kind.partition(" ")
    if name:
        events, refers = log.named(word, name, window), any(key.startswith("record.") for key in by_key)
    else:
        entity, type_, *field = kind.split(".")
        saves = _saves(entity, type_, by_key, window, log)
        events, refers = [one for one in saves if {*field} <= {*one.changed}], True
    refs = {event.ref for event in events if event.ref and event.type != "deleted"} if refers else set()
    records = log.fetch(refs) if refs else {}
    return [(event, keys_of(event, _record(event, records), SCHEMA)) for event in events]


def _saves(entity: str, type_: str, keys: Collection[str], window: Window, log: Log) -> list[Event]:
    """By the records that are sought, or, where little happened, all of their kind."""
    if ANY_KEY in keys or (window.since is None and log.few(window)):
        return log.of_kind(entity, type_, window)
    numbers: set[int] = set()
    referred: dict[str, set[Ref]] = defaultdict(set)
    for key in keys:
        path, _, written = key.partition("=")
        ref = (
            Ref.parse(written) if _REF.fullmatch(written) else None
        )  # else it names no record, and finds nothing
        if ref and path == "record":
            numbers |= {ref.id} if ref.entity == entity else set()
        elif ref:
            referred[path.partition(".")[2]].add(ref)
    for field, refs in referred.items():
        numbers |= {ref_of(record).id for record in log.referring(entity, field, refs)}
    events = log.of_records(entity, numbers, window) if numbers else []
    return [event for event in events if event.type == type_]


def _record(event: Event, records: Mapping[Ref, Record]) -> Record | None:
    if event.ref is None:
        return None
    return Record(event.ref, from_json(event.payload)) if event.type == "deleted" else records.get(event.ref)
