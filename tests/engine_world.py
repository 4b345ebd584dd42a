"""A small world for the engine: a store that can crash at any commit, a mail server that remembers."""

import shutil
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email import message_from_bytes
from pathlib import Path

from crm.store import open_store
from procession.effects import Recipient
from procession.engines import Membership
from procession.mail import Templates
from procession.ports import Actor, Delivery, EngineProcess, Ports, Store, Unit
from procession.records import Ref

NOON = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)


class Killed(BaseException):
    """Stands for kill -9: nothing in the engine may catch it."""


@dataclass
class Fuse:
    """Counts the instants at which a process can die, and dies at number `at`."""

    at: int = 0
    passed: int = 0

    def instant(self) -> None:
        self.passed += 1
        if self.passed == self.at:
            raise Killed


@dataclass
class Postman:
    """A mail server in memory: what it took, how often, by Message-ID."""

    fuse: Fuse = field(default_factory=Fuse)
    connections: int = 1
    taken: Counter[str] = field(default_factory=Counter)

    def send(self, sender: str, recipients: Sequence[str], mime: bytes) -> Delivery:
        self.fuse.instant()
        self.taken[message_from_bytes(mime)["Message-ID"]] += 1
        self.fuse.instant()
        return Delivery("250 OK")

    def close(self) -> None: ...


@dataclass
class SettableClock:
    at: datetime = NOON

    def now(self) -> datetime:
        return self.at

    def sleep(self, span: timedelta) -> None:
        self.at += span


class CrashingStore:
    """The real store, with an instant before and after every commit of a writing unit."""

    def __init__(self, store: Store, fuse: Fuse) -> None:
        self._store, self._fuse = store, fuse
        self.schema, self.identity = store.schema, store.identity

    @contextmanager
    def unit(self, *, write: bool = True) -> Iterator[Unit]:
        with self._store.unit(write=write) as unit:
            yield _CrashingUnit(unit, self._fuse) if write else unit  # type: ignore[misc]


class _CrashingUnit:
    def __init__(self, unit: Unit, fuse: Fuse) -> None:
        self._unit, self._fuse = unit, fuse
        self.records, self.journal = unit.records, unit.journal
        self.outbox, self.history = unit.outbox, unit.history

    def commit(self) -> None:
        self._fuse.instant()
        self._unit.commit()
        self._fuse.instant()


@dataclass
class World:
    """One database with an opportunity in it, and engines that come and go on it."""

    path: Path
    postman: Postman = field(default_factory=Postman)
    clock: SettableClock = field(default_factory=SettableClock)
    lives: int = 0
    called: set[int] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.store = open_store(f"sqlite:///{self.path}")

    def ports(self, fuse: Fuse, functions=None) -> Ports:
        self.lives += 1
        self.postman.fuse = fuse
        return Ports(
            store=CrashingStore(self.store, fuse),
            mail_out=self.postman,
            clock=self.clock,
            renderer=lambda _digest, files: Templates.of_files(files),
            engine=Membership(self.store, EngineProcess(f"life {self.lives}")),
            mail_domain="us.example",
            default_sender=Recipient("crm@us.example", "CRM"),
            functions=functions or {},
        )


ACTOR = Actor("user", "test")


def furnish(path: Path) -> Ref:
    """Make the database that every world starts from; returns its opportunity."""
    store = open_store(f"sqlite:///{path}")
    with store.unit() as unit:
        (account,) = unit.records.create("account", [{"name": "Acme"}], ACTOR)
        (deal,) = unit.records.create(
            "opportunity", [{"name": "Pumps", "amount": 7, "account": account}], ACTOR
        )
        unit.commit()
    with store.unit() as unit:
        unit.journal.dispatched([event.id for event in unit.journal.pending(100)], NOON)
        unit.commit()
    store.close()
    return deal


def copy_of(template: Path, to: Path) -> Path:
    for old in to.parent.glob(f"{to.name}*"):
        old.unlink()
    return Path(shutil.copyfile(template, to))
