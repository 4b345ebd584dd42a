"""No statement about records reads a whole table that grows: SQLite says how it looks for each one that a tour
through all that the store can do with records takes it to."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import event

from crm import sample
from crm.mapping import LINKED
from crm.schema import SCHEMA
from crm.store import CrmStore
from crm.unit import CrmUnit
from procession.ports import Actor, HistoryRow
from procession.records import Ref

NOW = datetime(2026, 3, 2, 9, 30, tzinfo=UTC)
ANNA = Actor("user", "anna")
GROWS = ("account", "contact", "contact_address", "opportunity", "activity", "activity_link", "participant",
         "email_message", "email_source", "history", "event")  # fmt: skip
NARROWS = {
    "account": {"website", "phone", "industry", "country"},
    "contact": {"salutation", "first_name", "last_name", "job_title", "timezone", "language", "country", "opt_out"},
    "opportunity": {"stage", "amount", "currency", "close_date", "is_open"},
    "activity": {"type", "subject", "status", "priority", "end", "all_day", "timezone", "location", "body",
                 "created_at", "modified_at", "external", "incoming"},
}  # fmt: skip
"""Fields that narrow a search by another field; by these alone it reads the whole table, as docs/limits.md says."""
PATHS = frozenset({
    ("contact", "account", "owner"), ("opportunity", "account"), ("opportunity", "contact"), ("owner",),
    ("participants", "account"), ("account", "owner"),
})  # fmt: skip
Refs = dict[str, Ref]


@contextmanager
def plans(store: CrmStore) -> Iterator[list[str]]:
    """How the database looks for what it is asked meanwhile: `table or index: statement`."""
    said: list[tuple[str, Any, bool]] = []
    found: list[str] = []

    def note(_connection: Any, _cursor: Any, statement: str, values: Any, _context: Any, many: bool) -> None:
        said.append((statement, values, many))

    event.listen(store._engine, "before_cursor_execute", note)
    yield found
    event.remove(store._engine, "before_cursor_execute", note)
    with store._engine.connect() as connection:
        for statement, values, many in said:
            if not statement.startswith(("BEGIN", "INSERT INTO")):
                rows = connection.exec_driver_sql(
                    f"EXPLAIN QUERY PLAN {statement}", values[0] if many else values
                )
                found += [f"{row.detail}: {statement}" for row in rows]


def whole_tables(found: list[str]) -> list[str]:
    return [
        plan
        for plan in found
        if plan.split(":")[0].split()[:1] == ["SCAN"] and plan.split()[1].strip(":") in GROWS
    ]


def looked_for(field: str, entity: str, refs: Refs) -> Any:
    known = SCHEMA.entity(entity).fields[field].type
    if (known.item or known).name == "record":
        return next(ref for ref in refs.values() if ref.entity == (known.item or known).of)
    return {"text": "call", "datetime": NOW, "bool": True}[(known.item or known).name]


SEARCHES = [
    (entity, field)
    for entity, narrow in NARROWS.items()
    for field in ("id", *SCHEMA.entity(entity).fields)
    if field not in narrow
]


@pytest.mark.parametrize(("entity", "field"), SEARCHES)
@pytest.mark.parametrize("many", [False, True])
def test_a_search_goes_by_an_index(store: CrmStore, entity: str, field: str, *, many: bool) -> None:
    refs = sample.load(store, NOW)
    value = 1 if field == "id" else looked_for(field, entity, refs)

    with plans(store) as found, store.unit(write=False) as unit:
        unit.records.find(entity, {field: (value, value) if many else value})

    assert found
    assert whole_tables(found) == []


def test_what_the_weekly_digest_reads_goes_by_owner_and_status(store: CrmStore) -> None:
    refs = sample.load(store, NOW)
    where = {"owner": refs["anna"], "type": ("task", "call"), "status": ("planned", "in_progress")}

    with plans(store) as found, store.unit(write=False) as unit:
        unit.records.find("activity", where, order="due", limit=200)

    assert any("ix_activity_owner_id_status (owner_id=? AND status=?)" in plan for plan in found)


def everything(unit: CrmUnit, refs: Refs) -> None:
    """Each of these takes some statements that the others do not take."""
    records, history = unit.records, unit.history
    records.fetch(list(refs.values()), PATHS)
    meeting = {"type": "task", "category": "meeting", "subject": "Talk", "owner": refs["anna"],
               "contact": refs["ann"], "opportunity": refs["press_line"]}  # fmt: skip
    made = records.create("activity", [meeting, meeting], ANNA, [[refs["luc"]], [refs["press_meeting"]]])
    (account,) = records.create("account", [{"name": "New", "owner": refs["anna"]}], ANNA)
    (contact,) = records.create(
        "contact", [{"name": "New", "email": "n@x.example", "phone": "+1", "account": account}], ANNA
    )
    (deal,) = records.create("opportunity", [{"name": "New", "account": account, "contact": contact}], ANNA)
    (user,) = records.create("user", [{"name": "New", "email": "new@us.example"}], ANNA)
    for change in ({"contact": contact, "account": account}, {"contact": refs["luc"], "opportunity": None}):
        records.update([(one, {**change, "status": "done"}) for one in made], ANNA)
    records.update([(contact, {"email": "o@x.example", "phone": "", "country": "DE"})], ANNA)
    records.update([(account, {"owner": user}), (deal, {"stage": "won"}), (user, {"team": "a"})], ANNA)
    records.update([(account, {"owner": None})], ANNA)
    history.append([HistoryRow(one, NOW + timedelta(minutes=1), ANNA, "note", "x") for one in made])
    history.append([HistoryRow(refs["acme"], NOW, ANNA, "note", "x", activity=made[0].id)])
    for one in refs.values():
        history.of(one)
    for one in (*made, deal, contact, account, user):
        records.delete([one], ANNA)


def test_no_statement_about_records_reads_a_whole_table(store: CrmStore) -> None:
    refs = sample.load(store, NOW)

    with plans(store) as found, store.unit() as unit:
        everything(unit, refs)

    assert {"SEARCH"} < {plan.split()[0] for plan in found}
    assert whole_tables(found) == []


def test_the_tour_knows_every_entity_and_every_kind_of_link() -> None:
    grows = {entity for entity in SCHEMA.entities if entity != "user"}

    assert set(NARROWS) == grows <= set(GROWS)
    assert set(LINKED) < grows
    assert all(narrow < set(SCHEMA.entity(entity).fields) for entity, narrow in NARROWS.items())
