"""What is asked often goes by an index, however many records there are (SQLite says how it will look)."""

from collections.abc import Callable
from datetime import UTC, datetime

import pytest
from sqlalchemy import event, text

from crm import sample
from crm.store import CrmStore
from crm.unit import CrmUnit
from procession.ports import Start
from procession.records import Ref

NOW = datetime(2026, 3, 2, 9, 30, tzinfo=UTC)
MEETING, CONTACT, OPPORTUNITY = Ref("activity", 1), Ref("contact", 1), Ref("opportunity", 1)
PATHS = frozenset({("contact", "account"), ("opportunity", "account"), ("owner",), ("participants",)})
RESTART = Start("notify", "d", "Notify", "1", "restart", {}, {"id": "saved"}, event_id=1)

QUESTIONS: dict[str, Callable[[CrmUnit], object]] = {
    "glance": lambda unit: unit.journal.glance(NOW),
    "pending": lambda unit: unit.journal.pending(10),
    "dispatched": lambda unit: unit.journal.dispatched([1, 2], NOW),
    "start": lambda unit: unit.journal.start([RESTART, RESTART], NOW),
    "claim": lambda unit: unit.journal.claim(1, NOW, 10),
    "claim these": lambda unit: unit.journal.claim(1, NOW, 10, [1, 2]),
    "claim one that engines died with": lambda unit: unit.journal.claim(1, NOW, 10, alone=True),
    "fence": lambda unit: unit.journal.fence({1: 1, 2: 1}),
    "release": lambda unit: unit.journal.release(NOW),
    "running in Prefect": lambda unit: unit.journal.running_in_prefect(),
    "live instances": lambda unit: unit.journal.instances(states=["ready", "running"]),
    "ready instances": lambda unit: unit.journal.instances(states=["ready"], process="notify"),
    "positions": lambda unit: unit.journal.positions([1, 2]),
    "current versions": lambda unit: unit.journal.current(),
    "steps": lambda unit: unit.journal.steps([1, 2]),
    "unseen": lambda unit: unit.journal.unseen_in_prefect(10),
    "incidents": lambda unit: unit.journal.instances(states=["incident"]),
    "cancelled instances": lambda unit: unit.journal.instances(states=["cancelled"], process="notify"),
    "instances that went wrong": lambda unit: unit.journal.instances(
        states=["failed", "incident", "stopped"]
    ),
    "due mails": lambda unit: unit.outbox.due(NOW, 10),
    "claimed mails": lambda unit: unit.outbox.claim([1, 2], 1, NOW),
    "settled mails": lambda unit: unit.outbox.settle(1, "queued", NOW),
    "lost mails": lambda unit: unit.outbox.lost(NOW),
    "held mails": lambda unit: unit.outbox.in_state(["unknown", "failed"]),
    "counted mails": lambda unit: unit.outbox.count(["unknown", "failed"]),
    "known mails": lambda unit: unit.outbox.known(["<1@us.example>"]),
    "mails by Message-ID": lambda unit: unit.outbox.envelopes(message_ids=["<1@us.example>"]),
    "fetch": lambda unit: unit.records.fetch([MEETING], PATHS),
    "by address": lambda unit: unit.records.find("contact", {"emails": "a@x.example"}),
    "by primary address": lambda unit: unit.records.find("contact", {"email": "a@x.example"}),
    "by contact": lambda unit: unit.records.find("activity", {"contact": CONTACT}),
    "history of an activity": lambda unit: unit.history.of(MEETING),
    "history of a contact": lambda unit: unit.history.of(CONTACT),
    "history of an opportunity": lambda unit: unit.history.of(OPPORTUNITY),
}
ALL_OF_IT = ("SCAN event", "SCAN instance", "SCAN email_message", "SCAN history", "SCAN activity", "SCAN contact",
             "SCAN step_run", "SCAN participant")  # fmt: skip


@pytest.mark.parametrize("name", QUESTIONS)
def test_what_is_asked_often_goes_by_an_index(store: CrmStore, name: str) -> None:
    sample.load(store, NOW)
    said: list[tuple[str, object]] = []
    event.listen(store._engine, "before_cursor_execute", lambda *args: said.append((args[2], args[3])))
    with store.unit() as unit:
        QUESTIONS[name](unit)

    plans = []
    with store._engine.connect() as connection:
        for statement, values in said:
            if statement.startswith(("SELECT", "UPDATE", "WITH")):
                plans += connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", values).all()

    scans = [row.detail for row in plans if row.detail.startswith(ALL_OF_IT)]
    assert plans
    assert [scan for scan in scans if "USING" not in scan] == []


def test_the_database_is_not_analysed_behind_our_back(store: CrmStore) -> None:
    """The plans above hold without statistics."""
    with store._engine.connect() as connection:
        assert (
            connection.execute(
                text("SELECT count(*) FROM sqlite_master WHERE name = 'sqlite_stat1'")
            ).scalar()
            == 0
        )
