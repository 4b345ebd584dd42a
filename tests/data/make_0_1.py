"""Makes `of_0_1.sql`: a SQLite database in which version 0.1 was stopped in the middle of everything.

It was made once, by version 0.1 itself, and is kept as it is; to make it again, check that version out beside this one:

    git worktree add ../of_0_1 5979d26
    PYTHONPATH=../of_0_1 python tests/data/make_0_1.py > tests/data/of_0_1.sql

The first line says which Message-IDs the mail server accepted meanwhile, as JSON.
"""

import json
import sqlite3
import tempfile
from collections.abc import Sequence
from contextlib import closing
from datetime import UTC, datetime, timedelta
from email import message_from_bytes, policy
from pathlib import Path
from textwrap import dedent

from crm.schema import SCHEMA
from crm.store import open_store
from procession.advance import advance
from procession.compile import compile_text
from procession.dispatch import Engine, start_by_hand
from procession.effects import Recipient
from procession.errors import TemporaryError, TransportDeferred, UnknownOutcome
from procession.mail import Templates
from procession.ports import Actor, Definition, Delivery, Ports

NOON = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
ANNA = Actor("user", "anna")
HEAD = """
    process: %s
    title: %s
    inputs: {deal: {type: record, of: opportunity}}
    triggers: [{manual: {on: opportunity}}]
    mode: %s
    key: "{{ deal.id }}"
    history: {on: "{{ deal }}"}
    steps:
"""
RETRY = "{max_attempts: 3, interval: 1m}"
STORIES = {
    "retries": f"""
      - {{id: begin, set: {{greeting: "Dear {{{{ deal.name }}}}"}}}}
      - {{id: mail, send_email: {{to: ann@acme.example, subject: Retried, text: "{{{{ vars.greeting }}}}"}}, retry: {RETRY}}}
      - {{id: after, log_history: "{{{{ vars.greeting }}}}, {{{{ outputs.mail.state }}}}"}}
""",
    "limps": f"""
      - {{id: limp, call: {{function: flaky}}, retry: {RETRY}}}
      - {{id: after, log_history: limped}}
""",
    "loops": f"""
      - {{id: begin, set: {{total: 0}}}}
      - id: each
        for_each:
          items: "{{{{ ['a', 'b', 'c'] }}}}"
          as: x
          steps:
            - {{id: add, set: {{total: "{{{{ vars.total + 1 }}}}"}}}}
            - {{id: mail, send_email: {{to: ann@acme.example, subject: "Loop {{{{ x }}}}", text: "No. {{{{ vars.total }}}}"}}, retry: {RETRY}}}
      - {{id: after, log_history: "looped {{{{ vars.total }}}} times"}}
""",
    "fails": """
      - {id: first, log_history: before it failed}
      - {id: boom, call: {function: boom}}
      - {id: after, log_history: "after {{ outputs.boom.value }}"}
""",
    "doubts": """
      - {id: mail, send_email: {to: ann@acme.example, subject: "Doubt {{ deal.name }}", text: Hello}}
      - {id: after, log_history: "doubted {{ outputs.mail.state }}"}
""",
    "dies": """
      - {id: first, log_history: before it died}
      - {id: mail, send_email: {to: ann@acme.example, subject: "Death {{ deal.name }}", text: Hello}}
      - {id: after, log_history: "died {{ outputs.mail.state }}"}
""",
    "holds": """
      - {id: mail, send_email: {to: ann@acme.example, subject: Held back, text: Hello, undo: 1 hour}}
""",
    "notifies": """
      - {id: tell, notify: {to: sales, subject: To the team, text: Hello}}
""",
    "catches": f"""
      - id: boom
        call: {{function: boom}}
        on_error:
          - {{id: caught, log_history: "caught {{{{ error.message }}}}"}}
          - {{id: mail, send_email: {{to: ann@acme.example, subject: Sorry, text: "{{{{ error.message }}}}"}}, retry: {RETRY}}}
      - {{id: after, log_history: caught all}}
""",
    "chooses": f"""
      - id: choice
        choose:
          match: all
          else: stop
          branches:
            - {{when: deal.amount > 1, steps: [{{id: one, log_history: first branch}}]}}
            - {{when: deal.amount > 2, steps: [{{id: mail, send_email: {{to: ann@acme.example, subject: Branch, text: Hello}}, retry: {RETRY}}}]}}
            - {{when: deal.amount > 3, steps: [{{id: three, log_history: third branch}}]}}
""",
    "drafts": """
      - {id: mail, send_email: {to: ann@acme.example, subject: Draft, text: Hello, send: draft}}
""",
    "begins": """
      - {id: mail, send_email: {to: ann@acme.example, subject: Begun, text: Hello}}
""",
    "restarts": """
      - {id: mail, send_email: {to: ann@acme.example, subject: "Moved {{ deal.name }}", text: Hello}}
      - {id: after, log_history: "moved {{ deal.name }}"}
""",
}  # fmt: skip


class Killed(BaseException):
    """Stands for kill -9."""


class Clock:
    at = NOON

    def now(self) -> datetime:
        return self.at


class Post:
    """A mail server that is told what to do with mails of a subject, one after the other; else it takes them."""

    connections = 1

    def __init__(self) -> None:
        self.accepted: list[str] = []
        self.orders: dict[str, list[str]] = {}

    def send(self, _sender: str, _recipients: Sequence[str], mime: bytes) -> Delivery:
        mail = message_from_bytes(mime, policy=policy.default)
        order = (self.orders.get(mail["Subject"]) or ["take"]).pop(0)
        if order == "put off":
            raise TransportDeferred("the mail server put off the mail: 451 later")
        if order != "lose":
            self.accepted.append(mail["Message-ID"])
        if order == "take and die":
            raise Killed
        if order in ("take and be silent", "lose"):
            raise UnknownOutcome("no answer was read after the handover: the connection was cut")
        return Delivery("250 OK")

    def close(self) -> None: ...


def boom() -> None:
    raise ValueError("no luck today")


def flaky() -> None:
    raise TemporaryError("not now")


class Office:
    def __init__(self, database: Path) -> None:
        self.clock, self.post, self.lives = Clock(), Post(), 0
        self.store = open_store(f"sqlite:///{database}", self.clock)
        self.plans = {}
        self.deals = {}

    def ports(self) -> Ports:
        """Each engine is another one, on a machine that is gone."""
        self.lives += 1
        return Ports(
            store=self.store, mail_out=self.post, clock=self.clock,
            renderer=lambda _digest, files: Templates.of_files(files), owner=f"gone:{self.lives}:0",
            mail_domain="us.example", default_sender=Recipient("crm@us.example", "CRM"),
            functions={"boom": boom, "flaky": flaky},
        )  # fmt: skip

    def furnish(self) -> None:
        with self.store.unit() as unit:
            team = [{"name": name, "email": f"{name}@us.example", "team": "sales"} for name in ("bob", "eve")]
            unit.records.create("user", team, ANNA)
            names = [*STORIES, "taken", "lost", "second", "again"]
            rows = [{"name": name, "amount": 7} for name in names]
            self.deals = dict(zip(names, unit.records.create("opportunity", rows, ANNA), strict=True))
            unit.commit()
        with self.store.unit() as unit:
            unit.journal.dispatched([event.id for event in unit.journal.pending(100)], NOON)
            unit.commit()

    def deploy(self) -> None:
        with self.store.unit() as unit:
            for name, steps in STORIES.items():
                text = dedent(
                    (HEAD % (name, name, "restart" if name == "restarts" else "parallel")).rstrip() + steps
                )
                plan = compile_text(text, f"{name}.yaml", Templates.of_files({}), SCHEMA, ("boom", "flaky"))
                unit.journal.publish(Definition(plan.process, plan.digest, files=plan.files))
                self.plans[name] = plan
            unit.commit()

    def start(self, process: str, deal: str = "") -> None:
        deal = self.deals[deal or process]
        start_by_hand(self.ports(), self.plans[process], {"deal": deal}, actor=ANNA)

    def run(
        self, process: str, *deals: str, orders: dict[str, list[str]] | None = None, times: int = 1
    ) -> None:
        """Start it for these deals, and let an engine tick, now and a while later."""
        for deal in deals or (process,):
            self.start(process, deal)
        self.post.orders = orders or {}
        ports = self.ports()
        engine = Engine(ports, self.plans, lambda plan, group: advance(plan, group, ports), lambda *_: None)
        for number in range(times):
            if number:
                self.clock.at += timedelta(minutes=2)
            try:
                engine.tick()
            except Killed:
                return

    def tell(self, process: str) -> None:
        """Its step is done, and nobody has sent yet what it queued."""
        self.start(process)
        ports, now = self.ports(), self.clock.now()
        with self.store.unit() as unit:
            (number,) = (one.id for one in unit.journal.instances(process=process))
            claimed = unit.journal.claim(ports.owner, now, now + ports.lease, 1, [number])
            unit.commit()
        advance(self.plans[process], claimed, ports)


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        database = Path(folder) / "of_0_1.sqlite"
        office = Office(database)
        office.furnish()
        office.deploy()
        office.start("limps")
        office.run("retries", orders={"Retried": ["put off"] * 2}, times=2)
        office.run("loops", orders={"Loop b": ["put off"]})
        office.run("fails")
        office.run("doubts", "taken", orders={"Doubt taken": ["take and be silent"]})
        office.run("doubts", "lost", orders={"Doubt lost": ["lose"]})
        office.run("dies", "dies", "second", orders={"Death dies": ["take and die"]})
        office.run("holds")
        office.run("catches", orders={"Sorry": ["put off"]})
        office.run("chooses", orders={"Branch": ["put off"]})
        office.run("drafts")
        office.run("restarts", orders={"Moved restarts": ["take and die"]})
        office.start("restarts")
        office.start("begins")
        office.tell("notifies")
        office.store.close()
        print(f"-- {json.dumps(office.post.accepted)}")
        with closing(sqlite3.connect(database)) as connection:
            print("\n".join(connection.iterdump()))


if __name__ == "__main__":
    main()
