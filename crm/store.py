"""The store: a database by its URL, and units of work on it.

SQLite (in WAL mode) in one file is the default; `postgresql://…` the alternative. A write unit on SQLite takes
the write lock when it begins, so what it reads stays true until it commits; on PostgreSQL the statements
lock the rows they decide on.
"""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext

from sqlalchemy import Connection, Engine, exc, inspect

from crm import migrate
from crm.bulk import Counts
from crm.clock import DatabaseClock, SystemClock
from crm.database import BUSY_SECONDS, engine_of
from crm.engines import identity_of
from crm.events import begin_to_tell
from crm.failures import INIT, busy, out_of_date
from crm.news import news
from crm.schema import SCHEMA
from crm.unit import CrmUnit
from procession.errors import ConfigurationError, TemporaryError
from procession.ports import Clock, Identity
from procession.records import Schema

LOOK_FOR_LOCK_SECONDS = 0.1
"""How often SQLite looks whether a lock is free that it has waited for a while (`sqliteDefaultBusyCallback`)."""


def open_store(url: str, clock: Clock | None = None) -> "CrmStore":
    """Open the store at `url` (`sqlite:///path` or `postgresql://…`).

    A SQLite file that is new or empty gets its tables; any other database must have them.

    Raises:
        ConfigurationError: the database cannot be reached, or its tables are missing or not up to date.
    """
    engine = engine_of(url)
    try:
        _check_tables(engine)
        return CrmStore(engine, clock or _clock_of(engine))
    except ConfigurationError:
        engine.dispose()
        raise


class CrmStore:
    """Implements `procession.ports.Store`. `clock` shows the time by which all that work on it go."""

    def __init__(self, engine: Engine, clock: Clock) -> None:
        self._engine = engine
        self.clock = clock
        self._reading = engine.execution_options(begin="BEGIN")
        self._writing = engine.execution_options(begin="BEGIN IMMEDIATE")
        self._one_writer = threading.Lock() if engine.dialect.name == "sqlite" else None
        self._identity: Identity | None = None
        self._counts = Counts()

    @property
    def schema(self) -> Schema:
        return SCHEMA

    @property
    def identity(self) -> Identity:
        """Made when it is first asked for, in a database that has none."""
        while self._identity is None:
            with _connected(self._reading) as connection:
                found, held = identity_of(connection)
            if found and held:  # a person will say which it is
                return found
            self._identity = found
            if found is None:
                with self.unit() as unit:
                    unit.make_identity()
                    unit.commit()
        return self._identity

    def look_again(self) -> None:
        self._identity = None

    @contextmanager
    def unit(self, *, write: bool = True) -> Iterator[CrmUnit]:
        turn = self._turn() if write else nullcontext()
        engine = self._writing if write else self._reading
        with turn, _connected(engine) as connection:
            connection.begin()
            if isinstance(self.clock, DatabaseClock):
                self.clock.keep_right(connection)
            begin_to_tell(connection, self._counts)
            yield CrmUnit(connection, self.clock)

    def let_others_write(self) -> None:
        """Called between two of many units. Other processes that wait for SQLite's write lock look for it, not in turn."""
        if self._one_writer:
            time.sleep(LOOK_FOR_LOCK_SECONDS)

    def news(self, awake: Callable[[], None]) -> AbstractContextManager[None]:
        """See `procession.ports.HasNews`."""
        return news(self._engine, awake)

    def close(self) -> None:
        self._engine.dispose()

    def _turn(self) -> AbstractContextManager[None]:
        return self._wait_for_turn(self._one_writer) if self._one_writer else nullcontext()

    @staticmethod
    @contextmanager
    def _wait_for_turn(lock: threading.Lock) -> Iterator[None]:
        """Threads of one process queue here: SQLite's own waiting polls, up to a tenth of a second each time."""
        if not lock.acquire(timeout=BUSY_SECONDS):
            raise busy()
        try:
            yield
        finally:
            lock.release()


def _connected(engine: Engine) -> Connection:
    try:
        return engine.connect()
    except exc.TimeoutError as error:  # of the pool: no driver was asked, so `crm.failures` is not
        raise TemporaryError(
            "All connections to the database are in use.",
            hint="Try again; if it stays so, units are left open.",
        ) from error


def _clock_of(engine: Engine) -> Clock:
    if engine.dialect.name == "sqlite":
        return SystemClock()
    with _connected(engine) as connection:
        return DatabaseClock(connection)


def _check_tables(engine: Engine) -> None:
    found = migrate.current(engine)
    if found == migrate.HEAD:
        return
    if engine.dialect.name == "sqlite" and not inspect(engine).get_table_names():
        migrate.run(engine)
    elif found is None:
        raise ConfigurationError("The database has no tables of Procession.", hint=INIT)
    else:
        migrate.refuse_unknown(found)
        raise out_of_date(f"they are of version {found}, this program needs {migrate.HEAD}")
