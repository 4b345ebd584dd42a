"""Two engines, four connections each, hundreds of mails, and somebody who kills engines at random: nothing is lost,
nothing is sent twice, and no more is in doubt than what was on the wire. On both databases."""

import json
import random
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import chaos
import knife
import psycopg
import pytest
from contract.conftest import empty, migrated_postgresql, postgresql  # noqa: F401 - fixtures

from crm import sample
from crm.store import open_store
from procession.ports import Ports, Store
from procession.records import ref_of

pytestmark = pytest.mark.acceptance

MEETINGS = 400
KILLS = 6
PATIENCE_SECONDS = 60
ENVIRONMENT = {"PYTHONPATH": str(knife.ROOT / "tests"), "PYTHONDONTWRITEBYTECODE": "1"}


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.external_service)])
def url(request: pytest.FixtureRequest, empty_database: Path, tmp_path: Path) -> str:
    """A database with the sample data in it."""
    if request.param == "sqlite":
        shutil.copy(empty_database, tmp_path / "chaos.sqlite")
        url = f"sqlite:///{tmp_path / 'chaos.sqlite'}"
    else:
        url = request.getfixturevalue("migrated_postgresql")
        empty(url)
    return furnish(url)


def furnish(url: str) -> str:
    """The sample data, which nobody looks at any more."""
    store = open_store(url)
    sample.load(store, datetime.now(UTC))
    with store.unit() as unit:
        unit.journal.dispatched([event.id for event in unit.journal.pending(1000)], datetime.now(UTC))
        unit.commit()
    store.close()
    return url


class Inbox:
    """A mail server in a process of its own; what it accepted is in a file before it says so."""

    def __init__(self, folder: Path) -> None:
        self._accepted = folder / "accepted.jsonl"
        self._process = subprocess.Popen(
            [sys.executable, "-m", "procession.testing.inbox", "--maildir", str(folder)],
            stdout=subprocess.PIPE, text=True,
        )  # fmt: skip
        self.port = json.loads(_line(self._process))["port"]

    def taken(self) -> Counter[str]:
        lines = self._accepted.read_text(encoding="utf-8").splitlines()
        return Counter(json.loads(line)["message_id"] for line in lines)

    def count(self) -> int:
        return self._accepted.read_bytes().count(b"\n")

    def close(self) -> None:
        _kill(self._process)


@pytest.fixture
def inbox(tmp_path: Path) -> Iterator[Inbox]:
    inbox = Inbox(tmp_path / "mails")
    yield inbox
    inbox.close()


@contextmanager
def engines(url: str, inbox: Inbox, count: int) -> Iterator[list[subprocess.Popen[str]]]:
    running = [start(url, inbox) for _ in range(count)]
    try:
        for engine in running:
            assert _line(engine) == "begun\n"
        yield running
    finally:
        for engine in running:
            _kill(engine)


def start(url: str, inbox: Inbox, *more: str) -> subprocess.Popen[str]:
    if url.startswith("postgresql"):
        # a server that is quick to see who sleeps: between two statements, or halfway through sending one
        url += "&options=-c%20idle_in_transaction_session_timeout%3D2s%20-c%20transaction_timeout%3D4s"
    return subprocess.Popen(
        [sys.executable, "-W", "error", chaos.__file__, url, str(inbox.port), *more],
        stdout=subprocess.PIPE, text=True, env=ENVIRONMENT,
    )  # fmt: skip


def put_to_sleep(engine: subprocess.Popen[str], url: str) -> None:
    """Stop an engine: on SQLite between two of its writes, since nobody takes a lock away from a file's holder."""
    while True:
        engine.send_signal(signal.SIGSTOP)
        if not url.startswith("sqlite"):
            return
        with closing(sqlite3.connect(url.removeprefix("sqlite:///"), timeout=0.1)) as connection:
            try:
                connection.execute("BEGIN IMMEDIATE")
            except sqlite3.OperationalError:
                engine.send_signal(signal.SIGCONT)
                time.sleep(0.001)
            else:
                return


def _line(process: subprocess.Popen[str]) -> str:
    assert process.stdout
    return process.stdout.readline()


def _kill(process: subprocess.Popen[str]) -> None:
    process.kill()
    process.wait()
    if process.stdout:
        process.stdout.close()


def wait_until(holds: Callable[[], Any], engines: Sequence[subprocess.Popen[str]]) -> None:
    end = time.monotonic() + PATIENCE_SECONDS
    while not holds():
        assert [engine.poll() for engine in engines] == [None] * len(engines), "an engine ended by itself"
        assert time.monotonic() < end, "it took too long"
        time.sleep(0.005)


def save_meetings(url: str, count: int) -> None:
    store = open_store(url)
    sample.save_meetings(store, count, datetime.now(UTC))
    store.close()


def is_over(store: Store) -> bool:
    with store.unit(write=False) as unit:
        return not (
            unit.journal.glance(datetime.now(UTC)).pending
            or unit.journal.instances(states=["ready", "running", "waiting"], limit=1)
        )


def a_person_decides(ports: Ports, taken: Counter[str]) -> int:
    """Every mail whose fate nobody knows is looked up at the server. How many there were."""
    with ports.store.unit() as unit:
        held = unit.outbox.in_state(["unknown"], limit=MEETINGS)
        for mail in held:
            state: Any = "sent" if taken[mail.message_id] else "queued"
            assert unit.outbox.settle(mail.id, state, ports.clock.now())
        for instance in unit.journal.instances(states=["incident"], limit=MEETINGS):
            assert (instance.error or {}).get("class") == "unknown", instance.error
            unit.journal.resume(instance.id, ports.clock.now())
        unit.commit()
    return len(held)


def told(store: Store) -> tuple[Counter[str], list[tuple[int | None, str | None]]]:
    """How instances ended, and what History says of which mail."""
    with store.unit(write=False) as unit:
        states = Counter(instance.state for instance in unit.journal.instances(limit=10 * MEETINGS))
        deals = unit.records.find("opportunity", {}, limit=1000)
        rows = {row.id: row for deal in deals for row in unit.history.of(ref_of(deal), 10 * MEETINGS)}
    return states, [(row.activity, row.delivery) for row in rows.values() if row.kind == "email"]


def finish(ports: Ports) -> None:
    engine = chaos.engine_on(ports)
    while engine.tick():
        pass
    ports.mail_out.close()


@pytest.mark.parametrize("seed", [2026])
def test_engines_that_are_killed_at_random_lose_nothing_and_double_nothing(url, inbox, seed):
    chance = random.Random(seed)
    moments = sorted(chance.sample(range(1, MEETINGS * 9 // 10), KILLS))
    ports = chaos.ports_on(url, inbox.port)

    with engines(url, inbox, 2) as running:
        save_meetings(url, MEETINGS)
        for moment in moments:
            wait_until(lambda moment=moment: inbox.count() >= moment, running)
            time.sleep(chance.uniform(0, 0.02))
            victim = chance.randrange(len(running))
            _kill(running[victim])
            running[victim] = start(url, inbox)
        wait_until(lambda: is_over(ports.store), running)
    before = inbox.taken()
    held = a_person_decides(ports, before)
    finish(ports)

    taken = inbox.taken()
    states, history = told(ports.store)
    ports.store.close()
    assert states == {"completed": MEETINGS}, "an instance was lost"
    assert len(taken) == MEETINGS, "a mail was lost"
    assert set(taken.values()) == {1}, "a mail was sent twice"
    assert held <= KILLS * chaos.CONNECTIONS, "more was in doubt than was on the wire"
    assert len({mail for mail, _ in history}) == len(history) == MEETINGS, (
        "a mail without its line of History"
    )
    assert {delivery for _, delivery in history} == {"sent"}


@pytest.mark.external_service
def test_a_postgresql_that_drops_every_connection_again_and_again_loses_nothing(request, inbox):
    url = request.getfixturevalue("migrated_postgresql")
    empty(url)
    furnish(url)
    ports = chaos.ports_on(url, inbox.port)
    chance = random.Random(2026)
    rudeness = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"

    with engines(url, inbox, 2) as running, psycopg.connect(url, autocommit=True) as server:
        save_meetings(url, MEETINGS)
        for moment in range(10, MEETINGS - 40, 20):
            wait_until(lambda moment=moment: inbox.count() >= moment, running)
            time.sleep(chance.uniform(0, 0.02))
            server.execute(rudeness)
        wait_until(lambda: is_over(ports.store), running)
    held = a_person_decides(ports, inbox.taken())
    finish(ports)

    taken = inbox.taken()
    states, history = told(ports.store)
    ports.store.close()
    assert states == {"completed": MEETINGS}
    assert (len(taken), set(taken.values())) == (MEETINGS, {1})
    assert len(history) == MEETINGS
    assert {delivery for _, delivery in history} == {"sent"}
    assert held <= 2, "engines that live know what became of their mails"


def test_an_engine_that_slept_until_it_was_taken_for_dead_sends_and_writes_nothing_more(url, inbox):
    count = 2 * chaos.BATCH
    ports = chaos.ports_on(url, inbox.port)

    with engines(url, inbox, 1) as running:
        (sleeper,) = running
        save_meetings(url, count)
        wait_until(lambda: inbox.count() >= 5, running)
        put_to_sleep(sleeper, url)
        by_the_sleeper = inbox.count()
        running.append(start(url, inbox))
        wait_until(lambda: is_over(ports.store), running)
        before, held = inbox.taken(), a_person_decides(ports, inbox.taken())
        finish(ports)
        in_between = inbox.taken()
        _kill(running[1])
        sleeper.send_signal(signal.SIGCONT)
        save_meetings(url, 1)  # which nobody else is there for
        wait_until(lambda: is_over(ports.store) and inbox.count() > in_between.total(), [sleeper])

    taken = inbox.taken()
    states, history = told(ports.store)
    ports.store.close()
    assert by_the_sleeper < chaos.BATCH, "it was too quick to be caught at work"
    assert held <= chaos.CONNECTIONS
    assert before.total() >= count - chaos.CONNECTIONS
    assert len(taken) == len(history) == count + 1
    assert states == {"completed": count + 1}
    assert {delivery for _, delivery in history} == {"sent"}
    twice = sum(taken.values()) - len(taken)
    assert twice <= held, "more went out after the sleep than was in its hands"


def test_engines_that_are_killed_while_instances_wait_lose_nothing_and_double_nothing():
    """The short form of `tests/kills.py --waits`."""
    script = Path(chaos.__file__).with_name("kills.py")

    done = subprocess.run(
        [sys.executable, str(script), "--kills", "5", "--waits"], env=ENVIRONMENT | {"COLUMNS": "200"},
        capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip

    assert done.returncode == 0, done.stdout + done.stderr
