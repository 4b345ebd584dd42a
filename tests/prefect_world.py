"""A small world for the Prefect edge: a project folder, a store with people and meetings, an inbox in memory."""

import signal
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email import message_from_bytes
from pathlib import Path
from typing import Any, TypeVar
from uuid import UUID

from empty_store import empty_store
from prefect.client.orchestration import SyncPrefectClient
from prefect.client.schemas.filters import FlowRunFilter, FlowRunFilterId
from prefect.client.schemas.objects import FlowRun, TaskRun
from prefect.client.schemas.sorting import TaskRunSort

from crm.clock import SystemClock
from crm.schema import SCHEMA
from crm.store import CrmStore, open_store
from flows import server
from flows.words import flow_name
from procession.compile import compile_text
from procession.definitions import Definitions
from procession.dispatch import start_by_hand
from procession.effects import Recipient
from procession.engines import Membership
from procession.mail import Templates
from procession.plan import Plan
from procession.ports import Actor, Delivery, Instance, Ports
from procession.publications import Asked, Published
from procession.records import Ref

T = TypeVar("T")
ACTOR = Actor("user", "test")


@dataclass
class Inbox:
    """A mail server in memory. `before` is called with each mail and may raise."""

    subjects: list[str] = field(default_factory=list)
    ids: list[str] = field(default_factory=list)
    before: Callable[[str], None] = lambda _subject: None
    connections: int = 1
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def send(self, sender: str, recipients: Sequence[str], mime: bytes) -> Delivery:
        mail = message_from_bytes(mime)
        self.before(mail["Subject"])
        with self._lock:
            self.subjects.append(mail["Subject"])
            self.ids.append(mail["Message-ID"])
        return Delivery("250 OK")

    def close(self) -> None: ...


@dataclass
class World:
    folder: Path
    store: CrmStore
    inbox: Inbox
    meetings: list[Ref]

    def ports(self, functions: Mapping[str, Callable[..., Any]] | None = None) -> Ports:
        return Ports(
            store=self.store, mail_out=self.inbox, clock=SystemClock(), engine=Membership(self.store),
            renderer=lambda _digest, files: Templates.of_files(files), mail_domain="us.example",
            default_sender=Recipient("crm@us.example", "CRM"), functions=functions or {},
        )  # fmt: skip

    def start(self, ports: Ports, plan: Plan, meetings: Sequence[Ref]) -> list[int]:
        """Ready instances of `plan`, one for each meeting."""
        return [
            started.id
            for ref in meetings
            if (started := start_by_hand(ports, plan, {"meeting": ref}, actor=ACTOR))
        ]

    def instance(self, number: int) -> Instance:
        with self.store.unit(write=False) as unit:
            return unit.journal.instances(ids=[number])[0]

    def instances(self) -> list[Instance]:
        with self.store.unit(write=False) as unit:
            return unit.journal.instances(limit=10_000)

    def save(self, count: int = 1, subject: str = "Kick-off") -> list[Ref]:
        """Save meetings at once, as the CRM does."""
        row = {"type": "task", "category": "meeting", "subject": subject, "start": datetime.now(UTC) + timedelta(days=1),
               "contact": Ref("contact", 1), "opportunity": Ref("opportunity", 1)}  # fmt: skip
        with self.store.unit() as unit:
            refs = unit.records.create("activity", [row] * count, ACTOR)
            unit.commit()
        return refs

    def about(self, refs: Sequence[Ref]) -> list[Instance]:
        """The instances that the saves of these meetings started, if all have ended."""
        wanted = {str(ref) for ref in refs}
        found = [i for i in self.instances() if i.trigger.get("record") in wanted]
        return found if len(found) == len(refs) and all(i.ended_at for i in found) else []

    def shown(self, refs: Sequence[Ref]) -> list[Instance]:
        """As `about`, if Prefect shows all of them."""
        found = self.about(refs)
        return found if all(instance.flow_run_id for instance in found) else []


@contextmanager
def world(folder: Path, meetings: int = 3) -> Iterator[World]:
    store = open_store(empty_store(folder / "crm.sqlite"))
    with store.unit() as unit:
        (deal,) = unit.records.create("opportunity", [{"name": "Pumps"}], ACTOR)
        contacts = unit.records.create("contact", [{"name": "Ann Smith", "email": "ann@acme.example"}], ACTOR)
        start = datetime.now(UTC) + timedelta(days=1)
        rows = [
            {"type": "task", "category": "meeting", "subject": f"Kick-off {n}", "start": start, "contact": contacts[0],
             "opportunity": deal}
            for n in range(meetings)
        ]  # fmt: skip
        refs = unit.records.create("activity", rows, ACTOR)
        unit.commit()
    with store.unit() as unit:
        while events := unit.journal.pending(1000):
            unit.journal.dispatched([event.id for event in events], datetime.now(UTC))
        unit.commit()
    yield World(folder, store, Inbox(), refs)
    store.close()


NOTIFY = """\
process: notify_contact_of_meeting
title: Notify contact of meeting
description: Sends the invitation.
owner: sales-ops
labels: [mail]
inputs:
  meeting: {type: record, of: activity, title: Meeting, description: The meeting in question.}
triggers:
  - id: saved
    record: activity
    events: [added]
    if: record.is_meeting
  - id: by_hand
    manual: {on: activity}
key: "{{ trigger.id }} {{ meeting.id }}"
mode: parallel
history: {on: "{{ meeting.opportunity }}"}
steps:
  - id: invite
    name: Send the invitation
    send_email:
      to: "{{ meeting.contact }}"
      subject: "Invitation: {{ meeting.subject }}"
      text: See you!
  - id: note
    name: Note it
    log_history: Told {{ meeting.contact.name }}
"""


def plan(text: str = NOTIFY, functions: Sequence[str] = ()) -> Plan:
    name = text.splitlines()[0].removeprefix("process: ")
    return compile_text(text, f"processes/{name}.yaml", Templates.of_files({}), SCHEMA, functions)


@dataclass
class PrefectSettings:
    api_url: str = ""
    port: int = 0
    patience_seconds: float = 2


@dataclass
class Settings:
    prefect: PrefectSettings = field(default_factory=PrefectSettings)
    batch: int = 500
    workers: int = 3


@dataclass
class Project:
    """What `flows.engine.serve` needs of an application, on a world and plans made by hand."""

    world: World
    made: Mapping[str, Plan]
    settings: Settings = field(default_factory=Settings)
    functions: Mapping[str, Callable[..., Any]] = field(default_factory=dict)

    @property
    def project(self) -> Path:
        return self.world.folder

    @property
    def data(self) -> Path:
        return self.world.folder / ".procession"

    def plans(self) -> Mapping[str, Plan]:
        return self.made

    def ports(self) -> Ports:
        return self.world.ports(self.functions)

    publishes = True
    redirect_all_to = ""

    def publish(self, _asked: Asked) -> Published:
        return Published()

    @property
    def definitions(self) -> Definitions:
        return Definitions(self.made)


class Server:
    """A Prefect server that keeps its address, whatever is done to it."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.port = folder, 0
        self.start()

    def start(self) -> None:
        self._server = server.start(self.folder, self.port)
        self.port, self.url = self._server.port, self._server.url
        server.wait_until_healthy(self._server)

    def kill(self) -> None:
        self._server.process.kill()
        self._server.stop()

    def freeze(self) -> None:
        self._server.process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        self._server.process.send_signal(signal.SIGCONT)

    def stop(self) -> None:
        self.thaw()
        self._server.stop()


@dataclass
class Prefect:
    """What Prefect knows, asked through its client."""

    client: SyncPrefectClient

    def run_of(self, instance: Instance) -> FlowRun:
        return self.client.read_flow_run(UUID(instance.flow_run_id))

    def tasks_of(self, run: FlowRun) -> list[tuple[str, str]]:
        """(name, state) of its task runs, in the order of time."""
        return [(task.name, task.state_name or "") for task in self.task_runs_of(run)]

    def task_runs_of(self, run: FlowRun) -> list[TaskRun]:
        """In the order of time."""
        return self.client.read_task_runs(
            flow_run_filter=FlowRunFilter(id=FlowRunFilterId(any_=[run.id])), sort=TaskRunSort.EXPECTED_START_TIME_ASC
        )  # fmt: skip

    def ended_tasks_of(self, run: FlowRun, count: int) -> list[tuple[str, str]]:
        """As `tasks_of`, once there are so many and all have ended: they reach the server a moment later."""

        def look() -> list[tuple[str, str]]:
            found = self.tasks_of(run)
            ended = [state for _, state in found if state not in ("", "Pending", "Running")]
            return found if len(ended) == len(found) == count else []

        return eventually(look)

    def deployment(self, process: str = "notify_contact_of_meeting") -> UUID:
        name = flow_name(process)
        return self.client.read_deployment_by_name(f"{name}/{name}").id

    def press_run(self, **parameters: object) -> FlowRun:
        """What the "Run" button does."""
        return self.client.create_flow_run_from_deployment(self.deployment(), parameters=parameters)


def eventually(look: Callable[[], T], seconds: float = 20) -> T:
    """The first true answer of `look`.

    Raises:
        AssertionError: there was none in time.
    """
    until = time.monotonic() + seconds
    while True:
        if found := look():
            return found
        assert time.monotonic() < until, f"it did not happen within {seconds} seconds"
        time.sleep(0.05)
