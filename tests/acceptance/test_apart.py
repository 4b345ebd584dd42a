"""Planning never waits for doing: whatever one process runs into, another one begins, and the engine stops in time."""

import socket
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from prefect_world import (
    ACTOR,
    NOTIFY,
    PrefectSettings,
    Project,
    Server,
    Settings,
    World,
    eventually,
    plan,
    world,
)

from flows import engine
from procession.records import Ref
from procession.transports.smtp import SmtpMailOut, SmtpSettings

pytestmark = pytest.mark.acceptance

AT_ONCE = 2.0
"""Seconds within which a process begins whatever others do."""
BUSY_MACHINE = 5
"""The bounds are five times that."""
MAILS = 40

QUICK = """\
process: note_the_deal
inputs: {deal: {type: record, of: opportunity}}
triggers: [{record: opportunity, events: [added]}]
mode: parallel
history: {on: "{{ deal }}"}
steps:
  - log_history: Here it is
"""
SLOW = """\
process: call_slowly
inputs: {meeting: {type: record, of: activity}}
triggers: [{record: activity, events: [added]}]
mode: parallel
steps:
  - call: {function: sleep}
"""


@contextmanager
def mute_server() -> Iterator[int]:
    """A mail server that accepts connections and never says a word; its port."""
    kept: list[socket.socket] = []
    with socket.create_server(("127.0.0.1", 0), backlog=100) as server:

        def accept() -> None:
            while True:
                try:
                    kept.append(server.accept()[0])
                except OSError:
                    return

        threading.Thread(target=accept, daemon=True).start()
        yield server.getsockname()[1]
        server.shutdown(socket.SHUT_RDWR)
    for each in kept:
        each.close()


@pytest.fixture
def there(tmp_path: Path) -> Iterator[World]:
    with world(tmp_path) as made:
        yield made


@contextmanager
def serving(
    there: World, server: Server, *texts: str, functions: Mapping[str, Callable[..., Any]] | None = None
) -> Iterator[None]:
    made = [plan(text, tuple(functions or {})) for text in (QUICK, *texts)]
    settings = Settings(PrefectSettings(server.url))
    project = Project(there, {one.process: one for one in made}, settings, functions or {})
    with engine.serve(project):
        seconds_until_noted(there)  # what is done for the first time takes its time
        yield


def seconds_until_noted(there: World) -> float:
    """How long it takes a process that sends no mail."""
    began = time.monotonic()
    with there.store.unit() as unit:
        (deal,) = unit.records.create("opportunity", [{"name": "Pipes"}], ACTOR)
        unit.commit()
    eventually(lambda: noted(there, deal), 60)
    return time.monotonic() - began


def noted(there: World, deal: Ref) -> bool:
    with there.store.unit(write=False) as unit:
        return any(row.text == "Here it is" for row in unit.history.of(deal))


def running(there: World, process: str) -> int:
    return sum(i.state == "running" and i.process == process for i in there.instances())


def test_another_process_begins_while_many_mails_wait_for_a_mute_mail_server(
    there: World, server: Server
) -> None:
    with mute_server() as port:
        there.inbox = SmtpMailOut(SmtpSettings("127.0.0.1", port, "none", timeout=timedelta(seconds=30)))
        with serving(there, server, NOTIFY):
            there.save(MAILS)
            eventually(lambda: running(there, "notify_contact_of_meeting") == MAILS)

            took = [seconds_until_noted(there) for _ in range(3)]
            began = time.monotonic()
        stopped = time.monotonic() - began

    assert max(took) < BUSY_MACHINE * AT_ONCE
    assert stopped < BUSY_MACHINE * AT_ONCE
    with there.store.unit(write=False) as unit:
        assert {mail.state for mail in unit.outbox.in_state(["queued", "sending", "unknown", "failed"])} == {
            "queued"
        }
    meetings = [i for i in there.instances() if i.process == "notify_contact_of_meeting"]
    assert [i.state for i in meetings] == ["ready"] * MAILS


def test_mails_of_no_step_that_wait_for_a_mute_mail_server_hold_up_nothing(
    there: World, server: Server
) -> None:
    held = NOTIFY.replace("      text: See you!", "      text: See you!\n      undo: 1s")
    with mute_server() as port:
        there.inbox = SmtpMailOut(SmtpSettings("127.0.0.1", port, "none", timeout=timedelta(seconds=30)))
        with serving(there, server, held):
            there.save(MAILS)

            eventually(lambda: sending(there))
            took = seconds_until_noted(there)

    assert took < BUSY_MACHINE * AT_ONCE
    assert sending(there) == 0


def sending(there: World) -> int:
    with there.store.unit(write=False) as unit:
        return unit.outbox.count(["sending"])["sending"]


def test_another_process_begins_while_a_function_takes_its_time(there: World, server: Server) -> None:
    over = threading.Event()

    def sleep() -> dict[str, object]:
        assert over.wait(60)
        return {}

    with serving(there, server, SLOW, functions={"sleep": sleep}):
        for _ in range(10):
            there.save()
        eventually(lambda: running(there, "call_slowly"))

        took = [seconds_until_noted(there) for _ in range(3)]
        over.set()
        eventually(lambda: not running(there, "call_slowly"))

    assert max(took) < BUSY_MACHINE * AT_ONCE


def test_a_frozen_prefect_holds_up_neither_the_work_nor_the_end(there: World, server: Server) -> None:
    try:
        with serving(there, server):
            server.freeze()
            took = [seconds_until_noted(there) for _ in range(3)]
            began = time.monotonic()
        stopped = time.monotonic() - began
    finally:
        server.thaw()

    assert max(took) < BUSY_MACHINE * AT_ONCE
    assert stopped < BUSY_MACHINE * AT_ONCE
