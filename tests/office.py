"""An office for engine tests: a real store, a mail server in memory, a clock that is set, processes as text."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path
from textwrap import dedent
from typing import Any
from uuid import uuid4

from empty_store import empty_store
from engine_world import NOON, SettableClock

from crm.schema import SCHEMA
from crm.store import open_store
from procession.advance import advance
from procession.compile import compile_text
from procession.definitions import Definitions
from procession.effects import Recipient, SendMail
from procession.engine import Engine
from procession.engines import Membership
from procession.mail import Templates, composed
from procession.plan import Plan
from procession.ports import LIVE, Actor, Checkpoint, EngineProcess, HistoryRow, Instance, Ports, QueuedMail
from procession.records import Record, Ref
from procession.testing.mail_out import MemoryMailOut

ANNA = Actor("user", "anna")
FUNCTIONS = ("double", "boom")


def double(number: int) -> int:
    return 2 * number


def boom() -> None:
    raise ValueError("no luck today")


@dataclass
class Office:
    """`given` records, processes that are `deploy`ed, and `work` until nothing is left to do now."""

    folder: Path
    clock: SettableClock = field(default_factory=SettableClock)
    post: MemoryMailOut = field(default_factory=MemoryMailOut)
    plans: dict[str, Plan] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._templates: dict[str, Templates] = {}
        store = open_store(empty_store(self.folder / "office.sqlite"), self.clock)
        self.ports = Ports(
            store=store, mail_out=self.post, clock=self.clock,
            renderer=self._renderer, engine=Membership(store),
            mail_domain="us.example", default_sender=Recipient("crm@us.example", "CRM"),
            functions={"double": double, "boom": boom},
        )  # fmt: skip
        self.known: dict[str, Ref] = {}

    def _renderer(self, digest: str, files: Mapping[str, str]) -> Templates:
        """As a running engine keeps them: once for each version."""
        if digest not in self._templates:
            self._templates[digest] = Templates.of_files(files)
        return self._templates[digest]

    def given(self, name: str, entity: str, /, **values: Any) -> Ref:
        """Save a record under a nickname; a text that is a nickname stands for its record."""
        with self.ports.store.unit() as unit:
            (ref,) = unit.records.create(entity, [self._meant(values)], ANNA)
            unit.commit()
        self.known[name] = ref
        return ref

    def change(self, name: str, /, **values: Any) -> None:
        with self.ports.store.unit() as unit:
            unit.records.update([(self.known[name], self._meant(values))], ANNA)
            unit.commit()

    def delete(self, name: str) -> None:
        with self.ports.store.unit() as unit:
            unit.records.delete([self.known[name]], ANNA)
            unit.commit()

    def _meant(self, values: dict[str, Any]) -> dict[str, Any]:
        known = self.known
        return {k: known[v] if isinstance(v, str) and v in known else v for k, v in values.items()}

    def queue_by_hand(
        self,
        to: str,
        subject: str = "Hello",
        *,
        count: int = 1,
        after: timedelta = timedelta(minutes=1),
        **more: Any,
    ) -> None:
        """Mails that no step looks after, to be sent later: the outbox does that by itself."""
        at = self.clock.now()
        recipient = Recipient(self.find("contact", email=to)[0].email, "", self.known.get("ann"))
        with self.ports.store.unit() as unit:
            for _ in range(count):
                mail = SendMail(
                    f"<{uuid4().hex}@us.example>", self.ports.default_sender, (recipient,), subject, subject,
                    not_before=at + after, **more,
                )  # fmt: skip
                redirect = self.ports.redirect_all_to
                queued = QueuedMail(mail, composed(mail, at, redirect), ANNA, redirected_to=redirect)
                unit.outbox.queue([queued], at)
            unit.commit()

    def nothing_new(self) -> None:
        """Let the saves so far start nothing."""
        with self.ports.store.unit() as unit:
            unit.journal.dispatched([event.id for event in unit.journal.pending(1000)], NOON)
            unit.commit()

    def deploy(self, text: str) -> Plan:
        text = dedent(text)
        name = text.strip().splitlines()[0].removeprefix("process:").strip()
        plan = compile_text(text, f"{name}.yaml", Templates.of_files({}), SCHEMA, FUNCTIONS)
        self.plans[plan.process] = plan
        return plan

    def elsewhere(self, host: str = "elsewhere", /, **changes: Any) -> Ports:
        """The same world as another engine sees it, on a machine of its own."""
        engine = Membership(self.ports.store, EngineProcess(host))
        return replace(self.ports, engine=engine, **changes)

    def dead(self, ports: Ports) -> None:
        """The others find out that this engine is no more."""
        with self.ports.store.unit() as unit:
            beats = {row.id: row.beat for row in unit.journal.engines()}
            unit.journal.bury({ports.engine.id: beats[ports.engine.id]})
            unit.commit()

    def engine(self) -> Engine:
        definitions = Definitions(self.plans)
        return Engine(self.ports, definitions, lambda plan, group: advance(plan, group, self.ports))

    def work(self, *, later: timedelta = timedelta()) -> None:
        self.clock.at += later
        engine = self.engine()
        while engine.tick():
            pass
        assert self.where_the_ended_are() == {}

    def where_the_ended_are(self) -> dict[int, Checkpoint]:
        """Nowhere, at any time: a position is deleted in the unit that ends its instance."""
        with self.ports.store.unit(write=False) as unit:
            ended = [one.id for one in unit.journal.instances() if one.state not in LIVE]
            return dict(unit.journal.positions(ended))

    def instances(self) -> list[Instance]:
        with self.ports.store.unit(write=False) as unit:
            return sorted(unit.journal.instances(), key=lambda instance: instance.id)

    def states(self) -> list[str]:
        return [instance.state for instance in self.instances()]

    def history(self, name: str) -> list[HistoryRow]:
        """Oldest first."""
        with self.ports.store.unit(write=False) as unit:
            return unit.history.of(self.known[name])[::-1]

    def find(self, entity: str, /, **where: Any) -> list[Record]:
        with self.ports.store.unit(write=False) as unit:
            return unit.records.find(entity, self._meant(where), order="id")

    def subjects(self) -> list[str]:
        return [mail.subject for mail in self.post.mails]
