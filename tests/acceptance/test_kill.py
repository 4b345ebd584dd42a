"""kill -9 at every journalled instant of the main job: nothing is lost, nothing is sent twice."""

import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import knife
import pytest
from engine_world import Fuse, copy_of

from crm import sample
from crm.store import open_store
from procession.ports import Ports, Store
from procession.testing.inbox import Inbox

pytestmark = pytest.mark.acceptance


@pytest.fixture(scope="module")
def plans():
    return knife.plans()


def furnished(path: Path, meetings: int) -> Path:
    """A database in which so many meetings were just saved, and nobody has looked yet."""
    store = open_store(f"sqlite:///{path}")
    now = datetime.now(UTC)
    sample.load(store, now)
    with store.unit() as unit:
        unit.journal.dispatched([event.id for event in unit.journal.pending(1000)], now)
        unit.commit()
    sample.save_meetings(store, meetings, now)
    store.close()
    return path


@pytest.fixture(scope="module")
def knife_process() -> Iterator[subprocess.Popen[str]]:
    """What forks the engines."""
    process = subprocess.Popen(
        [sys.executable, "-W", "error", knife.__file__], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        env={"PYTHONPATH": str(knife.ROOT / "tests"), "PYTHONDONTWRITEBYTECODE": "1"},
    )  # fmt: skip
    with process:
        yield process
        process.stdin.close()


def run_and_kill(process: subprocess.Popen[str], database: Path, port: int, at: int) -> int | None:
    """Run an engine in a process of its own, killed at its n-th instant; the number of instants if it lived."""
    process.stdin.write(f"{port} {at} {database}\n")
    process.stdin.flush()
    answer = int(process.stdout.readline())
    assert answer > 0 or answer == -signal.SIGKILL, "it ended by an error, which it has printed"
    return answer if answer > 0 else None


def a_person_decides(ports: Ports, taken: Counter[str]) -> int:
    """Every mail whose fate the dead engine did not learn is held; a person looks and says. How many there were."""
    with ports.store.unit() as unit:
        held = unit.outbox.in_state(["unknown"])
        for mail in held:
            unit.outbox.settle(mail.id, "sent" if taken[mail.message_id] else "queued", ports.clock.now())
        for instance in unit.journal.instances(states=["incident"]):
            unit.journal.resume(instance.id, ports.clock.now())
        unit.commit()
    return len(held)


def state_of(store: Store) -> tuple[Counter[str], list[tuple[str, str | None]]]:
    """How instances ended, and the e-mail rows of all History."""
    with store.unit(write=False) as unit:
        states = Counter(instance.state for instance in unit.journal.instances(limit=1000))
        deals = unit.records.find("opportunity", {}, limit=1000)
        rows = {row.id: row for deal in deals for row in unit.history.of(_ref(deal))}
    return states, [(row.text, row.delivery) for row in rows.values() if row.kind == "email"]


def _ref(record):
    from procession.records import ref_of

    return ref_of(record)


@pytest.mark.parametrize("meetings", [1, 3])
def test_a_killed_engine_loses_nothing_and_sends_nothing_twice(tmp_path, plans, knife_process, meetings):
    template = furnished(tmp_path / "template.sqlite", meetings)
    database, at, deaths, held_in_all = tmp_path / "killed.sqlite", 0, 0, 0

    while True:
        at += 1
        copy_of(template, database)
        with Inbox() as inbox:
            lived = run_and_kill(knife_process, database, inbox.port, at)
            ports = knife.ports_on(database, inbox.port, Fuse())
            knife.run_until_idle(ports, plans)
            held = a_person_decides(ports, Counter(mail.message_id for mail in inbox.mails))
            knife.run_until_idle(ports, plans)
            taken = Counter(mail.message_id for mail in inbox.mails)
            states, history = state_of(ports.store)
            ports.mail_out.close()
        assert len(taken) == meetings, f"lost at instant {at}"
        assert set(taken.values()) == {1}, f"sent twice, killed at instant {at}"
        assert states == {"completed": meetings}, f"instances after instant {at}"
        assert [delivery for _, delivery in history] == ["sent"] * meetings
        assert held <= 1, "more than the one mail in flight was in doubt"
        held_in_all += held
        if lived is not None:
            break
        deaths += 1

    assert deaths >= 10 + 4 * (meetings - 1)
    assert held_in_all >= meetings, "the instants around the server's acceptance were not reached"
