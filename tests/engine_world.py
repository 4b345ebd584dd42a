"""A small world for the engine: a store that can crash at any commit, a mail server that remembers."""

import shutil
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email import message_from_bytes, policy
from pathlib import Path
from typing import Protocol

from sqlalchemy import insert
from twin_store import TwinStore

from crm.database import engine_of
from crm.journal import installation
from crm.memory import MemoryStore
from crm.store import CrmStore, open_store
from procession.effects import Recipient
from procession.engines import Membership
from procession.errors import TransportRefused
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
    """A mail server in memory: what it took, how often, by Message-ID; and with which subject for whom. It knows nobody
    whom it `refuses`."""

    fuse: Fuse = field(default_factory=Fuse)
    connections: int = 1
    taken: Counter[str] = field(default_factory=Counter)
    told: Counter[tuple[str, tuple[str, ...]]] = field(default_factory=Counter)
    refuses: frozenset[str] = frozenset()

    def send(self, sender: str, recipients: Sequence[str], mime: bytes) -> Delivery:
        self.fuse.instant()
        refused = {address: "550 nobody of this name" for address in recipients if address in self.refuses}
        known = tuple(address for address in recipients if address not in refused)
        if not known:
            raise TransportRefused("the mail server refused the mail: 550 nobody of this name")
        mail = message_from_bytes(mime, policy=policy.default)
        self.taken[mail["Message-ID"]] += 1
        self.told[mail["Subject"], known] += 1
        self.fuse.instant()
        return Delivery("250 OK", refused)

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
    """One store with an opportunity in it, and engines that come and go on it."""

    store: Store
    deal: Ref
    postman: Postman = field(default_factory=Postman)
    clock: SettableClock = field(default_factory=SettableClock)
    lives: int = 0
    called: set[int] = field(default_factory=set)

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


def furnish(store: Store) -> Ref:
    """Make what every world starts from, with a team of two; returns its opportunity."""
    with store.unit() as unit:
        team = [{"name": name, "email": f"{name}@us.example", "team": "sales"} for name in ("bob", "eve")]
        unit.records.create("user", team, ACTOR)
        (account,) = unit.records.create("account", [{"name": "Acme"}], ACTOR)
        (deal,) = unit.records.create(
            "opportunity", [{"name": "Pumps", "amount": 7, "account": account}], ACTOR
        )
        unit.commit()
    with store.unit() as unit:
        unit.journal.dispatched([event.id for event in unit.journal.pending(100)], NOON)
        unit.commit()
    return deal


# --- grounds: where worlds are made, each as new


class Ground(Protocol):
    """Makes worlds on one kind of store, one after the other."""

    def world(self) -> AbstractContextManager[World]: ...


class InMemory:
    def __init__(self) -> None:
        self._template = MemoryStore(SettableClock())
        self._deal = furnish(self._template)

    @contextmanager
    def world(self) -> Iterator[World]:
        yield self.at(SettableClock())

    def at(self, clock: SettableClock) -> World:
        return World(self._template.copy(clock), self._deal, clock=clock)


class OnSQLite:
    """Files in a folder, through one engine of SQLAlchemy: a new one would compile every statement again."""

    def __init__(self, folder: Path) -> None:
        self._template, self._path = folder / "template.sqlite", folder / "world.sqlite"
        store = open_store(f"sqlite:///{self._template}", SettableClock())
        self._deal = furnish(store)
        store.close()
        self._engine = engine_of(f"sqlite:///{self._path}")

    @contextmanager
    def world(self) -> Iterator[World]:
        clock = SettableClock()
        copy_of(self._template, self._path)
        store = CrmStore(self._engine, clock)
        yield World(store, self._deal, clock=clock)
        store.close()  # with all connections: the file is another one in the next world


class OnPostgreSQL:
    """A database that is emptied for each world. It says that it is the same one, so that Message-IDs are the same."""

    def __init__(self, url: str, empty: Callable[[str], object]) -> None:
        self._url, self._empty = url, empty
        self._engine = engine_of(url)

    @contextmanager
    def world(self) -> Iterator[World]:
        self._empty(self._url)
        clock = SettableClock()
        store = CrmStore(self._engine, clock)
        with store._engine.begin() as connection:
            connection.execute(insert(installation).values(id=1, installation="here", incarnation="now"))
        yield World(store, furnish(store), clock=clock)
        store.close()


class OnBoth:
    """On SQLite and in memory at the same time: they must answer the same."""

    def __init__(self, folder: Path) -> None:
        self._sqlite, self._memory = OnSQLite(folder), InMemory()

    @contextmanager
    def world(self) -> Iterator[World]:
        with self._sqlite.world() as world:
            world.store = TwinStore(world.store, self._memory.at(world.clock).store)
            yield world


def copy_of(template: Path, to: Path) -> Path:
    for old in to.parent.glob(f"{to.name}*"):
        old.unlink()
    return Path(shutil.copyfile(template, to))
