"""What came before a wait was kept, and counts for it: read from the event log, by the same keys.

A record is found by what it refers to now, as its event was when that was dispatched.
"""

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from crm.schema import SCHEMA
from procession.correlation import keys_of
from procession.ports import ANY_KEY, Event, Sought
from procession.records import Record, Ref, ref_of
from procession.values import from_json

DRAWN_BEFORE = 1_000
"""Events that may be committed, and so dispatched, after ones with higher numbers: the search begins so many before."""


class Log(Protocol):
    """The events that planners took up, oldest first, after a number; and the records that they are about."""

    def of_records(self, entity: str, numbers: Collection[int], after: int) -> list[Event]: ...

    def of_kind(self, entity: str, type: str, after: int) -> list[Event]: ...  # noqa: A002  # a column's name

    def named(self, type: str, name: str, after: int) -> list[Event]: ...  # noqa: A002  # a column's name

    def referring(self, entity: str, field: str, refs: Collection[Ref]) -> list[Record]: ...

    def fetch(self, refs: Collection[Ref]) -> Mapping[Ref, Record]: ...


@dataclass(frozen=True, slots=True)
class Seeker:
    """One thing that a wait is for. `began` is the event that started its instance."""

    wait: int
    instance: int
    sought: Sought
    as_of: int
    began: int

    @property
    def after(self) -> int:
        """No event up to this number counts."""
        return 0 if self.sought.since else max(self.began - DRAWN_BEFORE, 0)

    def counts(self, event: Event) -> bool:
        if self.sought.since_began and event.id > self.began:
            return True
        return (
            self.sought.since is not None and event.at >= self.sought.since
        ) or event.dispatch > self.as_of


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
    after = min(seeker.after for some in by_key.values() for seeker in some)
    word, _, name = kind.partition(" ")
    if name:
        events, refers = log.named(word, name, after), any(key.startswith("record.") for key in by_key)
    else:
        entity, type_, *field = kind.split(".")
        saves = _saves(entity, type_, by_key, after, log)
        events, refers = [one for one in saves if {*field} <= {*one.changed}], True
    refs = {event.ref for event in events if event.ref and event.type != "deleted"} if refers else set()
    records = log.fetch(refs) if refs else {}
    return [(event, keys_of(event, _record(event, records), SCHEMA)) for event in events]


def _saves(entity: str, type_: str, keys: Collection[str], after: int, log: Log) -> list[Event]:
    if ANY_KEY in keys:
        return log.of_kind(entity, type_, after)
    numbers: set[int] = set()
    referred: dict[str, set[Ref]] = defaultdict(set)
    for key in keys:
        path, _, ref = key.partition("=")
        if path == "record":
            numbers.add(Ref.parse(ref).id)
        elif ref:
            referred[path.partition(".")[2]].add(Ref.parse(ref))
    for field, refs in referred.items():
        numbers |= {ref_of(record).id for record in log.referring(entity, field, refs)}
    return (
        [event for event in log.of_records(entity, numbers, after) if event.type == type_] if numbers else []
    )


def _record(event: Event, records: Mapping[Ref, Record]) -> Record | None:
    if event.ref is None:
        return None
    return Record(event.ref, from_json(event.payload)) if event.type == "deleted" else records.get(event.ref)
