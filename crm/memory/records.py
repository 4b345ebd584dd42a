"""The records of the CRM, each save with its event."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from functools import partial
from typing import Any

from crm import addresses, links
from crm.changes import (
    ON_ITS_WAY,
    Change,
    Values,
    can_be_connected,
    changed_by_each,
    columns_of,
    differences,
    each_once,
    gone,
    known_entity,
    named,
    needed,
    not_there,
    numbers_of,
    on_its_way,
    placed,
    refs_in,
    to_be_placed,
)
from crm.checks import accept, accept_new
from crm.events import Saved, rows_of
from crm.history import copied
from crm.links import Link, Pointer
from crm.mapping import LAYOUTS, LINKED
from crm.memory.reading import addresses_of, fields_by_id, links_of, targets
from crm.memory.searching import find
from crm.memory.tables import Tables
from crm.reading import followed
from procession.ports import Actor, Clock
from procession.records import Paths, Record, Ref
from procession.values import to_json


def tell(tables: Tables, saves: Iterable[Saved], at: datetime) -> None:
    """Write one event for each save."""
    told = tables.told
    if not (rows := rows_of(saves, at, told)):
        return
    born = [row.id for row in tables.insert("event", rows)]
    if not rows[0]["bulk"]:
        told.urgent += born
        return
    for number in told.urgent:
        if number in tables["event"].rows:
            tables.change("event", number, bulk=True)
    told.urgent.clear()


def connect(tables: Tables, new: Iterable[Link]) -> None:
    tables.insert("activity_link", links.rows_of(new))


class MemoryRecords:
    """Implements `procession.ports.Records`."""

    def __init__(self, tables: Tables, clock: Clock) -> None:
        self._tables = tables
        self._clock = clock

    def fetch(self, refs: Collection[Ref], paths: Paths) -> dict[Ref, Record]:
        return followed(partial(fields_by_id, self._tables), refs, paths)

    def find(
        self, entity: str, where: Mapping[str, Any], *, order: str = "", limit: int = 100
    ) -> list[Record]:
        return find(self._tables, entity, where, order, limit)

    def categories(self) -> tuple[str, ...]:
        """The names of the categories of activities, in alphabetical order."""
        return tuple(sorted(row.name for row in self._tables["category"].rows.values()))

    def create(
        self,
        entity: str,
        rows: Sequence[Values],
        actor: Actor,
        connected_to: Sequence[Sequence[Ref]] = (),
    ) -> list[Ref]:
        now = self._clock.now()
        known_entity(entity)
        wholes = [named(entity, accept_new(entity, row)) for row in rows]
        connected: Sequence[Sequence[Ref]] = [()] * len(rows)
        if can_be_connected(entity, connected_to, len(rows)):
            connected = links.resolved(connected_to, partial(targets, self._tables))
        self._must_exist([*refs_in(wholes), *(ref for refs in connected for ref in refs)])
        if entity == "activity":
            wholes = [placed(whole, self._zones()) for whole in wholes]
        categories = self._categories(wholes)
        extra = {"created_at": now, "modified_at": now, "external": False} if entity == "activity" else {}
        made = self._tables.insert(
            entity, [{**columns_of(entity, whole, categories), **extra} for whole in wholes]
        )
        numbered = {row.id: whole for row, whole in zip(made, wholes, strict=True)}
        self._add_belongings(entity, numbered, connected)
        refs = [Ref(entity, row.id) for row in made]
        tell(self._tables, (Saved("added", ref, actor) for ref in refs), now)
        return refs

    def update(self, changes: Sequence[Change], actor: Actor) -> list[tuple[str, ...]]:
        now = self._clock.now()
        accepted: list[Change] = []
        places: dict[str, list[int]] = {}
        for ref, values in changes:
            known_entity(ref.entity)
            places.setdefault(ref.entity, []).append(len(accepted))
            accepted.append((ref, accept(ref.entity, values)))
        answers: list[tuple[str, ...]] = [()] * len(accepted)
        for entity, some in places.items():
            mine = [accepted[place] for place in some]
            self._must_exist(refs_in(values for _, values in mine))
            before = self._there(entity, [ref for ref, _ in mine])
            for place, names in zip(some, changed_by_each(mine, before), strict=True):
                answers[place] = names
            changed = differences(mine, before)
            if entity == "activity":
                for ref, owner in to_be_placed(changed, before).items():
                    if zone := self._zones().get(owner):
                        changed[ref]["timezone"] = zone
            self._write(entity, changed, now)
            saves = (Saved("modified", ref, actor, tuple(values)) for ref, values in changed.items())
            tell(self._tables, saves, now)
        return answers

    def delete(self, refs: Sequence[Ref], actor: Actor) -> None:
        now = self._clock.now()
        by_entity: dict[str, list[Ref]] = {}
        for ref in each_once(refs):
            by_entity.setdefault(ref.entity, []).append(ref)
        for entity, some in by_entity.items():
            last = self._there(entity, some)
            numbers = [ref.id for ref in some]
            self._nobody_needs(entity, numbers)
            if entity == "activity":
                self._nothing_on_its_way(numbers)
                self._keep_history(numbers)
            self._tables.delete(entity, numbers)
            saves = [
                Saved("deleted", ref, actor, payload={k: to_json(v) for k, v in last[ref.id].items()})
                for ref in some
            ]
            tell(self._tables, saves, now)

    # --- what must hold

    def _zones(self) -> Mapping[int, str]:
        return {number: row.timezone for number, row in self._tables["user"].rows.items()}

    def _must_exist(self, refs: Iterable[Ref]) -> None:
        for ref in sorted(set(refs)):
            if ref.id not in self._tables[ref.entity].rows:
                raise not_there(ref)

    def _there(self, entity: str, refs: Iterable[Ref]) -> dict[int, dict[str, Any]]:
        numbers = sorted({ref.id for ref in refs})
        found = fields_by_id(self._tables, entity, numbers)
        for number in numbers:
            if number not in found:
                raise gone(Ref(entity, number))
        return found

    def _nobody_needs(self, entity: str, numbers: Collection[int]) -> None:
        for other, layout in LAYOUTS.items():
            for name, target in layout.references.items():
                if target != entity:
                    continue
                for row in self._tables[other].rows.values():
                    if (number := getattr(row, f"{name}_id")) in numbers:
                        raise needed(Ref(entity, number), name, Ref(other, row.id))

    def _nothing_on_its_way(self, activities: Iterable[int]) -> None:
        for number in activities:
            mail = self._tables["email_message"].rows.get(number)
            if mail and mail.state in ON_ITS_WAY:
                raise on_its_way(number, mail.state)

    # --- what is written

    def _categories(self, rows: Iterable[Values]) -> dict[str, int]:
        wanted = {row["category"] for row in rows if row.get("category")}
        return numbers_of(wanted, self._tables["category"].rows.values()) if wanted else {}

    def _add_belongings(
        self, entity: str, rows: Mapping[int, Values], connected_to: Sequence[Sequence[Ref]]
    ) -> None:
        if entity == "contact":
            new = [
                addresses.row_of(number, kind, row[kind], 0)
                for number, row in rows.items()
                for kind in addresses.KINDS
                if row[kind]
            ]
            self._tables.insert("contact_address", new)
        if entity == "activity":
            own = [Link(n, row[kind]) for n, row in rows.items() for kind in LINKED if row[kind]]
            more = [
                Link(n, ref, "connected") for n, refs in zip(rows, connected_to, strict=True) for ref in refs
            ]
            connect(self._tables, own + more)

    def _write(self, entity: str, changed: Mapping[Ref, Values], now: datetime) -> None:
        categories = self._categories(changed.values())
        for ref, values in changed.items():
            columns = columns_of(entity, values, categories)
            if entity == "activity":
                columns["modified_at"] = now
            if columns:
                self._tables.change(entity, ref.id, **columns)
        wishes = [(ref.id, name, value) for ref, values in changed.items() for name, value in values.items()]
        if entity == "contact":
            self._make_primary([wish for wish in wishes if wish[1] in addresses.KINDS])
        if entity == "activity":
            self._point([Pointer(*wish) for wish in wishes if wish[1] in LINKED])

    def _make_primary(self, wishes: Sequence[tuple[int, str, str]]) -> None:
        there: addresses.There = {}
        for contact in {contact for contact, _, _ in wishes}:
            for row in addresses_of(self._tables, contact):
                there.setdefault((contact, row.kind), []).append(row)
        change = addresses.moves(wishes, there)
        if change.gone:
            self._tables.delete("contact_address", change.gone)
        for row in change.moved:
            values = {name.removeprefix("new_"): value for name, value in row.items() if name != "number"}
            self._tables.change("contact_address", row["number"], **values)
        self._tables.insert("contact_address", change.new)

    def _point(self, pointers: Sequence[Pointer]) -> None:
        there: dict[tuple[int, str], list[tuple[int, int]]] = {}
        for activity in {pointer.activity for pointer in pointers}:
            for link, ref in links_of(self._tables, activity):
                there.setdefault((activity, ref.entity), []).append((link, ref.id))
        change = links.moves(pointers, there)
        if change.gone:
            self._tables.delete("activity_link", change.gone)
        for entity, rows in change.moved.items():
            for row in rows:
                where = {f"{entity}_id": row["target"], "reason": "field", "confidence": 1.0}
                self._tables.change("activity_link", row["link"], **where)
        connect(self._tables, change.new)

    def _keep_history(self, activities: Collection[int]) -> None:
        wanted = set(activities)
        rows = [
            row
            for row in self._tables["history"].rows.values()
            if row.activity_id in wanted
            or (row.entity == "activity" and row.record_id in wanted and row.activity_id is None)
        ]
        self._tables.insert("history", copied(rows, targets(self._tables, activities)))
