"""`procession serve` as an operator has it: a process of its own that is killed, or told to stop, in the middle of things."""

import shutil
import signal
import socket
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

import pytest
from prefect_world import ACTOR, Server, eventually

from flows.wiring import Application, application
from procession.cli.main import main
from procession.ports import EngineRow, Envelope, Instance
from procession.testing.inbox import Inbox

pytestmark = pytest.mark.acceptance

MEETINGS = 12
A_WHILE = timedelta(seconds=30)
SERVE = [sys.executable, "-c", "from procession.cli.main import run; run()", "serve"]
# other tests leave runs of the shipped process on the Prefect server, and an engine takes those up
NAMES = ("process: notify_contact_of_meeting", "process: told_by_a_real_engine")


@dataclass
class Shop:
    """A project with one process and a mail server, and engines that are processes of their own."""

    project: Path
    inbox: Inbox
    application: Application
    started: list[subprocess.Popen[str]] = field(default_factory=list)

    def serve(self) -> subprocess.Popen[str]:
        """Returns as soon as it says something."""
        with (self.project / "said.txt").open("ab") as said:
            engine = subprocess.Popen(SERVE, cwd=self.project, stdout=said, stderr=said, text=True)
        self.started.append(engine)
        eventually(lambda: "Starting …" in self.said() or engine.poll() is not None)
        return engine

    def said(self) -> str:
        return (self.project / "said.txt").read_text(encoding="utf-8")

    def save(self, count: int) -> None:
        self.application.save_meetings(count)

    def meet(self, subject: str, name: str) -> None:
        """Save a new contact of that name, and a meeting with it, in one unit."""
        now = self.application.clock.now()
        with self.application.store.unit() as unit:
            (contact,) = unit.records.create("contact", [{"name": name, "email": "one@acme.example"}], ACTOR)
            (deal,) = unit.records.create("opportunity", [{"name": "Pumps"}], ACTOR)
            row = {"type": "task", "category": "meeting", "subject": subject, "start": now + timedelta(days=3),
                   "contact": contact, "opportunity": deal}  # fmt: skip
            unit.records.create("activity", [row], ACTOR)
            unit.commit()

    def instances(self) -> list[Instance]:
        with self.application.store.unit(write=False) as unit:
            return unit.journal.instances(limit=100)

    def mails(self) -> list[Envelope]:
        with self.application.store.unit(write=False) as unit:
            states = ("draft", "queued", "sending", "sent", "failed", "unknown", "cancelled")
            return unit.outbox.in_state(states)

    def engines(self) -> Sequence[EngineRow]:
        with self.application.store.unit(write=False) as unit:
            return unit.journal.engines()

    def taken(self) -> Counter[str]:
        return Counter(mail.message_id for mail in self.inbox.mails)

    def a_person_decides(self) -> int:
        """Looks up each mail in doubt at the server; how many there were."""
        now = self.application.clock.now()
        with self.application.store.unit() as unit:
            doubtful = unit.outbox.in_state(["unknown"])
            for mail in doubtful:
                unit.outbox.settle(mail.id, "sent" if self.taken()[mail.message_id] else "queued", now)
            for instance in unit.journal.instances(states=["incident"]):
                unit.journal.resume(instance.id, now)
            unit.commit()
        return len(doubtful)

    def is_over(self) -> bool:
        found = self.instances()
        return len(found) == MEETINGS and all(instance.ended_at for instance in found)


@pytest.fixture(scope="module")
def new_project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("new") / "project"
    assert main(["init", str(folder)]) == 0
    return folder


@pytest.fixture
def shop(new_project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Shop]:
    project = Path(shutil.copytree(new_project, tmp_path / "project"))
    for file in (project / "processes").iterdir():
        if file.stem != "notify_contact_of_meeting":
            file.unlink()
            continue
        text = (
            file.read_text(encoding="utf-8").replace(*NAMES) + "  - {id: last, log_history: Told by mail}\n"
        )
        file.write_text(text, encoding="utf-8")
        file.rename(file.with_stem("told_by_a_real_engine"))
    with Inbox() as inbox:
        for name, value in (("HOST", inbox.host), ("PORT", str(inbox.port)), ("SECURITY", "none")):
            monkeypatch.setenv(f"PROCESSION_SMTP_{name}", value)
        monkeypatch.setenv("PROCESSION_PREFECT_PORT", "0")
        made = Shop(project, inbox, application(project))
        yield made
        for engine in made.started:
            engine.kill()
            engine.wait()
        made.application.close()


@pytest.fixture
def shown(shop: Shop, server: Server, monkeypatch: pytest.MonkeyPatch) -> Shop:
    """Its runs are shown by the Prefect server of all tests, so that an engine starts sooner."""
    monkeypatch.setenv("PREFECT_API_URL", server.url)
    return shop


def test_an_engine_that_is_killed_at_work_is_followed_by_one_that_sends_the_rest_once(shown: Shop) -> None:
    shown.inbox.faults.delay = timedelta(seconds=0.1)
    shown.save(MEETINGS)
    killed = shown.serve()
    shown.inbox.wait_for(3, A_WHILE)

    killed.kill()
    killed.wait()
    left = Counter(instance.state for instance in shown.instances())
    shown.inbox.faults.delay = timedelta()
    shown.serve()
    eventually(lambda: shown.a_person_decides() or shown.is_over())
    eventually(shown.is_over)

    assert left["running"], "it was too quick to be caught at work"
    assert {instance.state for instance in shown.instances()} == {"completed"}
    assert (len(shown.taken()), set(shown.taken().values())) == (MEETINGS, {1})
    assert {mail.state for mail in shown.mails()} == {"sent"}


def test_an_engine_that_is_told_to_stop_at_work_gives_back_what_it_had_and_is_well(shown: Shop) -> None:
    shown.inbox.faults.delay = timedelta(seconds=0.1)
    shown.save(MEETINGS)
    stopped = shown.serve()
    shown.inbox.wait_for(3, A_WHILE)

    stopped.send_signal(signal.SIGTERM)
    code = stopped.wait(20)
    instances, mails = (Counter(one.state for one in found) for found in (shown.instances(), shown.mails()))
    engines = shown.engines()
    shown.inbox.faults.delay = timedelta()
    shown.serve()
    eventually(shown.is_over)

    assert code == 0, shown.said()
    assert (instances, mails, list(engines)) == ({"ready": MEETINGS}, {"sent": MEETINGS}, [])
    assert {instance.state for instance in shown.instances()} == {"completed"}
    assert (len(shown.taken()), set(shown.taken().values())) == (MEETINGS, {1})


def test_an_engine_that_is_told_to_stop_does_not_wait_for_a_mail_server_that_says_nothing(
    shown: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.create_server(("127.0.0.1", 0), backlog=100) as mute:
        monkeypatch.setenv("PROCESSION_SMTP_PORT", str(mute.getsockname()[1]))
        shown.save(MEETINGS)
        stopped = shown.serve()
        eventually(lambda: [mail for mail in shown.mails() if mail.state == "sending"])

        stopped.send_signal(signal.SIGTERM)
        code = stopped.wait(25)  # five times what it takes on a machine with nothing else to do

    instances, mails = (Counter(one.state for one in found) for found in (shown.instances(), shown.mails()))
    monkeypatch.setenv("PROCESSION_SMTP_PORT", str(shown.inbox.port))
    shown.serve()
    eventually(shown.is_over)
    assert (code, instances, mails) == (0, {"ready": MEETINGS}, {"queued": MEETINGS}), shown.said()
    assert {instance.state for instance in shown.instances()} == {"completed"}
    assert (len(shown.taken()), set(shown.taken().values())) == (MEETINGS, {1})


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_one_that_is_told_twice_to_stop_does_not_wait_for_the_step_under_way(
    shown: Shop, number: signal.Signals
) -> None:
    shown.inbox.faults.delay = timedelta(hours=1)
    shown.save(1)
    stopped = shown.serve()
    eventually(lambda: [mail for mail in shown.mails() if mail.state == "sending"])

    def tell() -> bool:
        stopped.send_signal(number)
        return stopped.poll() is not None

    eventually(tell)

    assert stopped.returncode == -number
    assert [instance.state for instance in shown.instances()] == ["running"]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
@pytest.mark.parametrize("so_far", ["the beginning", "its Prefect server"])
def test_an_engine_that_is_told_to_stop_while_it_starts_stops_as_if_it_had_worked(
    shop: Shop, so_far: str, number: signal.Signals
) -> None:
    stopped = shop.serve()
    if so_far == "its Prefect server":
        eventually((shop.project / ".procession" / "prefect" / "server.log").exists)

    stopped.send_signal(number)

    assert stopped.wait(20) == 0, shop.said()
    assert shop.said().endswith("Stopped.\n")
    assert "Serving" not in shop.said()
    assert list(shop.engines()) == []


def test_a_contact_whose_name_crashes_a_library_gets_an_incident_and_the_others_their_mail(
    shown: Shop,
) -> None:
    """HTML as deep as the name is long: 4,000 tables inside each other overflow the stack of css-inline."""
    body = "<p>{{ meeting.subject }}</p>{% for letter in meeting.contact.name %}<table><tr><td>{% endfor %}"
    (shown.project / "templates" / "meeting_new" / "body.html.j2").write_text(body, encoding="utf-8")
    process = shown.project / "processes" / "told_by_a_real_engine.yaml"
    text = process.read_text(encoding="utf-8")
    process.write_text(text[: text.index("    on_error:")], encoding="utf-8")
    shown.meet("Poison", "x" * 4000)
    shown.meet("Innocent", "Pat")

    engine = shown.serve()
    shown.inbox.wait_for(1, A_WHILE)
    eventually(lambda: [one.state for one in shown.instances()].count("incident"))
    shown.meet("Later", "Sam")
    shown.inbox.wait_for(2, A_WHILE)
    (poisoned,) = [one for one in shown.instances() if one.state == "incident"]

    assert engine.poll() is None
    assert [mail.subject.split(": ")[-1] for mail in shown.inbox.mails] == ["Innocent", "Later"]
    assert poisoned.error is not None
    assert poisoned.error["message"] == (
        "mail template 'meeting_new' cannot be filled: its process crashed (SIGSEGV)"
    )
    assert poisoned.error["hint"].endswith("HTML that is thousands of tags deep.")
