"""How many statements a save of many records takes: the same for a few as for hundreds, on both databases."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import event
from store_world import NOW, START, claim, new_engine, start, tokens

from crm.store import CrmStore
from crm.unit import CrmUnit
from procession.ports import Actor
from procession.records import Ref

ANNA = Actor("user", "anna")
MANY = 500

pytestmark = pytest.mark.about("statements")

Made = dict[str, list[Ref]]


@contextmanager
def counted(store: CrmStore) -> Iterator[list[str]]:
    """The statements that the driver is given meanwhile; one for many sets of parameters counts once."""
    said: list[str] = []

    def note(*args: Any) -> None:
        said.append(args[2])

    event.listen(store._engine, "before_cursor_execute", note)
    yield said
    event.remove(store._engine, "before_cursor_execute", note)


def save(store: CrmStore, do: Callable[[CrmUnit], Any]) -> int:
    """Do it in one unit; returns how many statements that took."""
    with counted(store) as said, store.unit() as unit:
        do(unit)
        unit.commit()
    return len([one for one in said if not one.startswith(("BEGIN", "NOTIFY"))])


@pytest.fixture
def made(store: CrmStore) -> Made:
    """Many records of each kind."""
    with store.unit() as unit:
        create = unit.records.create
        users = [{"name": f"User {n}", "email": f"u{n}@us.example"} for n in range(2)]
        made = {"user": create("user", users, ANNA)}
        made["account"] = create("account", [{"name": f"Account {n}"} for n in range(MANY)], ANNA)
        contacts = [{"name": f"Contact {n}", "email": f"c{n}@x.example"} for n in range(MANY)]
        made["contact"] = create("contact", contacts, ANNA)
        made["opportunity"] = create("opportunity", [{"name": f"Deal {n}"} for n in range(MANY)], ANNA)
        made["activity"] = create("activity", meetings(made, MANY), ANNA)
        unit.commit()
    return made


def meetings(made: Made, count: int) -> list[dict[str, Any]]:
    return [
        {
            "type": "task", "category": "meeting", "subject": f"Meeting {n}", "owner": made["user"][0],
            "contact": made["contact"][n], "opportunity": made["opportunity"][n],
        }
        for n in range(count)
    ]  # fmt: skip


def test_connected_activities_are_made_by_a_fixed_number_of_statements(store: CrmStore, made: Made) -> None:
    def create(count: int) -> int:
        connected = [[made["account"][n], made["activity"][n]] for n in range(count)]
        rows = meetings(made, count)
        return save(store, lambda unit: unit.records.create("activity", rows, ANNA, connected))

    assert create(MANY) == create(2) == 10


def locks(store: CrmStore) -> int:
    """The statement that locks the records before they are read; on SQLite the whole file is locked."""
    return int(store._engine.dialect.name == "postgresql")


def changes_of(entity: str, made: Made, count: int) -> list[dict[str, Any]]:
    """A change for each of `count` records, of several sets of fields; no two set the same values."""
    other = made["contact"][::-1]
    match entity:
        case "contact":
            return [
                {"email": f"new{n}@x.example", "phone": f"+49 {n}", "country": f"C{n}"} for n in range(count)
            ]
        case "activity":
            return [
                {
                    "contact": other[n],
                    "opportunity": None,
                    "account": made["account"][n],
                    "subject": f"New {n}",
                }
                for n in range(count)
            ]
        case _:
            return [{"name": f"New {n}"} for n in range(count)]


@pytest.mark.parametrize(
    ("entity", "statements"), [("account", 3), ("opportunity", 3), ("contact", 7), ("activity", 10)]
)
def test_records_are_changed_by_a_fixed_number_of_statements(
    store: CrmStore, made: Made, entity: str, statements: int
) -> None:
    def change(refs: list[Ref]) -> int:
        changes = list(zip(refs, changes_of(entity, made, len(refs)), strict=True))
        return save(store, lambda unit: unit.records.update(changes, ANNA))

    few, many = change(made[entity][:2]), change(made[entity][2:])

    assert few == many == statements + locks(store)


def test_a_set_of_fields_more_is_a_statement_more(store: CrmStore, made: Made) -> None:
    names = ("country", "website", "industry", "phone")
    changes = [(ref, {names[n % len(names)]: f"New {n}"}) for n, ref in enumerate(made["account"])]

    took = save(store, lambda unit: unit.records.update(changes, ANNA))

    assert took == 2 + len(names) + locks(store)


# --- instances


def superseded(store: CrmStore, count: int) -> dict[int, int]:
    """The tokens of so many that run and are to stop for their successors."""
    restarts = [replace(START, key=f"{count} {n}", mode="restart") for n in range(count)]
    start(store, *restarts)
    claimed = claim(store, new_engine(store))
    start(store, *restarts)
    return tokens(*claimed)


def test_what_was_superseded_is_fenced_by_a_fixed_number_of_statements(store: CrmStore) -> None:
    def fence(count: int) -> int:
        stopping = superseded(store, count)
        return save(store, lambda unit: unit.journal.fence(stopping))

    assert fence(2) == fence(50) == 6


def test_successors_are_cancelled_by_a_fixed_number_of_statements(store: CrmStore) -> None:
    def cancel(count: int) -> int:
        first = min(superseded(store, count))
        waiting = [first + count + n for n in range(count)]
        with counted(store) as said, store.unit() as unit:
            assert unit.journal.ask_to_stop(waiting, "by anna", NOW) == count
            unit.commit()
        return len(said)

    assert cancel(2) == cancel(50)
