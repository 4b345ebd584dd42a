"""What one saved meeting costs the database, and what each of many costs: counted, not timed."""

from collections import Counter
from datetime import timedelta
from pathlib import Path

import pytest
from office import ANNA, Office
from sqlalchemy import event

from crm.schema import SCHEMA
from procession.compile import load
from procession.engine import Engine
from procession.mail import Templates

ROOT = Path(__file__).parents[3]
PROCESS = "notify_contact_of_meeting"


@pytest.fixture
def busy(tmp_path: Path) -> Office:
    """An office with the main job, after its first meeting: everything that is made once is made."""
    office = Office(tmp_path)
    office.post.connections = 4
    plans = load(ROOT / "processes", Templates(ROOT / "templates"), SCHEMA, ())
    office.plans = {PROCESS: plans[PROCESS]}
    office.given("anna", "user", name="Anna", email="anna@us.example", timezone="Europe/Berlin")
    office.given("acme", "account", name="Acme")
    office.given("ann", "contact", name="Ann", email="ann@acme.example", account="acme", language="de")
    office.given("deal", "opportunity", name="Deal", contact="ann", account="acme")
    office.nothing_new()
    save(office, 1)
    office.work()
    return office


def save(office: Office, count: int) -> None:
    meeting = {
        "type": "task", "category": "meeting", "subject": "Kick-off", "status": "planned",
        "start": office.clock.now() + timedelta(days=3), "contact": office.known["ann"],
        "opportunity": office.known["deal"], "owner": office.known["anna"],
    }  # fmt: skip
    with office.ports.store.unit() as unit:
        unit.records.create("activity", [meeting] * count, ANNA)
        unit.commit()


def warm(office: Office) -> Engine:
    """One that has looked around: what it asks once a minute is asked."""
    engine = office.engine()
    engine.tick()
    return engine


class Costs:
    """Statements, without those that begin a transaction; and commits."""

    def __init__(self, office: Office) -> None:
        self.statements: Counter[str] = Counter()
        self.commits = 0
        database = office.ports.store._engine
        event.listen(database, "before_cursor_execute", self._said)
        event.listen(database, "commit", self._committed)

    def _said(self, _connection, _cursor, statement, *_) -> None:
        if not statement.startswith("BEGIN"):
            self.statements[" ".join(statement.split())[:60]] += 1

    def _committed(self, _connection) -> None:
        self.commits += 1


def test_one_saved_meeting_takes_forty_statements_and_five_commits(busy: Office) -> None:
    engine = warm(busy)
    costs = Costs(busy)

    save(busy, 1)
    engine.tick()

    assert len(busy.post.mails) == 2
    assert costs.statements.total() <= 40
    assert costs.commits <= 5


def test_each_of_five_hundred_meetings_takes_two_statements(busy: Office) -> None:
    engine = warm(busy)
    costs = Costs(busy)

    save(busy, 500)
    while engine.tick():
        pass

    assert len(busy.post.mails) == 501
    assert costs.statements.total() <= 2.0 * 500
