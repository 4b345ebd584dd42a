"""A database in which version 0.1 was stopped in the middle of everything is upgraded, and all of it goes on where it was.

`tests/data/make_0_1.py` made it, with version 0.1 itself.
"""

import json
import sqlite3
from collections import Counter
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from engine_world import NOON, Postman, SettableClock

from crm import migrate
from crm.schema import SCHEMA
from crm.store import CrmStore, open_store
from procession.advance import advance
from procession.compile import compile_files
from procession.definitions import StoredDefinitions
from procession.effects import Recipient
from procession.engine import Engine
from procession.engines import Membership
from procession.errors import TemporaryError
from procession.mail import Templates
from procession.ports import Envelope, Instance, Ports
from procession.records import Ref

DUMP = Path(__file__).parents[1] / "data" / "of_0_1.sql"
FUNCTIONS = ("boom", "flaky")


@dataclass
class Upgraded:
    """The database after its upgrade, and a mail server that remembers what it took while 0.1 ran."""

    store: CrmStore
    clock: SettableClock
    before: list[str]
    postman: Postman = field(default_factory=Postman)
    functions: dict[str, Callable[[], Any]] = field(default_factory=dict)
    called: Counter[str] = field(default_factory=Counter)

    def work(self, *, later: timedelta = timedelta(0)) -> None:
        self.clock.sleep(later)
        ports = Ports(
            store=self.store, mail_out=self.postman, clock=self.clock,
            renderer=lambda _digest, files: Templates.of_files(files), engine=Membership(self.store),
            mail_domain="us.example", default_sender=Recipient("crm@us.example", "CRM"), functions=self.functions,
        )  # fmt: skip
        definitions = StoredDefinitions(self.store, lambda files: compile_files(files, SCHEMA, FUNCTIONS))
        engine = Engine(ports, definitions, lambda plan, group: advance(plan, group, ports))
        while engine.tick():
            pass
        ports.engine.leave()

    def instances(self) -> dict[str, Instance]:
        """By the process and the deal that they are about; of two alike the later one."""
        with self.store.unit(write=False) as unit:
            found = sorted(unit.journal.instances(limit=1000), key=lambda one: one.id)
        return {one.title: one for one in found}

    def mail(self, subject: str) -> Envelope:
        with self.store.unit(write=False) as unit:
            mails = unit.records.find("activity", {"type": "email", "subject": subject})
            return max(unit.outbox.envelopes([mail.id for mail in mails]), key=lambda one: one.id)

    def history(self, deal: str) -> list[str]:
        with self.store.unit(write=False) as unit:
            (found,) = unit.records.find("opportunity", {"name": deal})
            return [row.text for row in unit.history.of(Ref("opportunity", found.id))][::-1]

    def say(self, subject: str, state: str, title: str) -> None:
        """A person says what became of a mail, and lets its process go on."""
        with self.store.unit() as unit:
            assert unit.outbox.settle(self.mail(subject).id, state, self.clock.now())  # type: ignore[arg-type]
            assert unit.journal.resume(self.instances()[title].id, self.clock.now())
            unit.commit()


@pytest.fixture
def upgraded(tmp_path: Path):
    file = tmp_path / "of_0_1.sqlite"
    accepted, _, _ = DUMP.read_text(encoding="utf-8").partition("\n")
    with closing(sqlite3.connect(file)) as connection:
        connection.executescript(DUMP.read_text(encoding="utf-8"))
    migrate.upgrade(f"sqlite:///{file}")
    clock = SettableClock(NOON + timedelta(hours=6))
    store = open_store(f"sqlite:///{file}", clock)
    found = Upgraded(store, clock, json.loads(accepted.removeprefix("-- ")))

    def boom() -> None:
        found.called["boom"] += 1
        raise ValueError("no luck today")

    def flaky() -> None:
        found.called["flaky"] += 1

    found.functions = {"boom": boom, "flaky": flaky}
    yield found
    store.close()


def test_each_goes_on_where_it_was(upgraded: Upgraded) -> None:
    upgraded.work()

    states = {title: one.state for title, one in upgraded.instances().items()}
    assert states == {
        "limps: limps": "completed",
        "retries: retries": "completed",
        "loops: loops": "completed",
        "fails: fails": "incident",
        "doubts: taken": "incident",
        "doubts: lost": "incident",
        "dies: dies": "incident",
        "dies: second": "completed",
        "holds: holds": "completed",
        "catches: catches": "completed",
        "chooses: chooses": "completed",
        "drafts: drafts": "completed",
        "restarts: restarts": "completed",
        "begins: begins": "completed",
        "notifies: notifies": "completed",
    }
    assert upgraded.history("retries")[-1] == "Dear retries, sent"
    assert upgraded.history("loops")[-1] == "looped 3 times"
    assert upgraded.history("catches")[-1] == "caught all"
    assert upgraded.history("chooses")[-1] == "third branch"
    assert upgraded.history("limps") == ["limped"]
    assert upgraded.history("dies") == ["before it died", upgraded.history("dies")[1]]


def test_nothing_goes_out_twice_and_what_was_promised_goes_out(upgraded: Upgraded) -> None:
    unsent = ["Retried", "Loop b", "Death second", "Held back", "Sorry", "Branch", "To the team"]
    known = {subject: upgraded.mail(subject).message_id for subject in unsent}

    upgraded.work()

    assert not set(upgraded.before) & set(upgraded.postman.taken)
    assert set(upgraded.postman.taken.values()) == {1}
    assert {subject for subject, one in known.items() if one not in upgraded.postman.taken} == set()
    assert upgraded.mail("Draft").state == "draft"
    assert (
        len([one for one in upgraded.postman.taken if "." in one.partition("@")[0]]) == 2
    )  # both of the team


def test_what_nobody_knows_waits_for_a_person(upgraded: Upgraded) -> None:
    upgraded.work()
    subjects = ["Doubt taken", "Doubt lost", "Death dies"]
    assert [upgraded.mail(subject).state for subject in subjects] == ["unknown"] * 3

    upgraded.say("Doubt taken", "sent", "doubts: taken")
    upgraded.say("Doubt lost", "queued", "doubts: lost")
    upgraded.say("Death dies", "sent", "dies: dies")
    lost = upgraded.mail("Doubt lost").message_id
    upgraded.work()

    assert upgraded.postman.taken[lost] == 1
    assert not set(upgraded.before) & set(upgraded.postman.taken)
    states = {upgraded.instances()[title].state for title in ("doubts: taken", "doubts: lost", "dies: dies")}
    assert states == {"completed"}
    assert upgraded.history("dies")[-1] == "died sent"


def test_a_step_keeps_the_tries_it_has_had(upgraded: Upgraded) -> None:
    """Two of three are used up."""

    def flaky() -> None:
        upgraded.called["flaky"] += 1
        raise TemporaryError("not now")

    upgraded.functions["flaky"] = flaky
    upgraded.work()
    upgraded.work(later=timedelta(hours=1))

    assert upgraded.called["flaky"] == 1
    assert upgraded.instances()["limps: limps"].state == "incident"


def test_an_incident_that_is_resumed_takes_its_step_again(upgraded: Upgraded) -> None:
    upgraded.work()
    with upgraded.store.unit() as unit:
        assert unit.journal.resume(upgraded.instances()["fails: fails"].id, upgraded.clock.now())
        unit.commit()
    upgraded.functions["boom"] = lambda: "well"
    upgraded.work()

    assert upgraded.history("fails") == ["before it failed", "after well"]


def test_an_instance_that_was_superseded_stays_so(upgraded: Upgraded) -> None:
    """Its mail was in an engine's hands: nobody knows. The one that came after it has sent its own."""
    upgraded.work()

    with upgraded.store.unit(write=False) as unit:
        states = sorted(one.state for one in unit.journal.instances(process="restarts"))
    assert states == ["cancelled", "completed"]
