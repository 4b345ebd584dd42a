"""How many statements a save of many records takes: the same for a few as for hundreds, on both databases."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from sqlalchemy import event

from crm.store import CrmStore
from crm.unit import CrmUnit
from procession.ports import Actor
from procession.records import Record, Ref

ANNA = Actor("user", "anna")
MANY = 500
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
    return len([one for one in said if not one.startswith("BEGIN")])


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
