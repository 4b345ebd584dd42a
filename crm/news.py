"""That somebody committed something: an engine hears of it, and need not ask many times a second.

SQLite       a connection that never writes sees its `data_version` move with each commit of any other, of this process or
             another; asking takes no lock
PostgreSQL   NOTIFY, once in each unit that wrote an event, with nothing in it: it takes a lock of the whole cluster when the
             unit commits

Neither is needed for anything to happen: who hears nothing (a proxy that pools transactions, a connection that was lost)
looks now and then.
"""

import logging
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, cast

from sqlalchemy import Connection, Engine, text
from sqlalchemy.exc import SQLAlchemyError

from procession.errors import ProcessionError

if TYPE_CHECKING:
    import psycopg

log = logging.getLogger(__name__)

LOOK_SECONDS, QUIET_LOOK_SECONDS = 0.02, 0.06
QUIET_SECONDS = 1.0
"""So long after the last news it is looked more rarely: waking up costs a tenth of a millisecond each time."""
LISTEN_SECONDS = 0.2
"""How long it takes at most to find out that nobody wants to know any more."""
AGAIN_SECONDS = 1.0

_WROTE = "procession.wrote_an_event"
_NOTIFY, _LISTEN = text("NOTIFY procession"), "LISTEN procession"


def wrote_an_event(connection: Connection) -> None:
    if connection.dialect.name == "postgresql":
        connection.info[_WROTE] = True


def before_commit(connection: Connection) -> None:
    if connection.info.pop(_WROTE, False):
        connection.execute(_NOTIFY)


@contextmanager
def news(engine: Engine, awake: Callable[[], None]) -> Iterator[None]:
    """Call `awake`, in a thread of its own, whenever something was committed, while the block runs."""
    over = threading.Event()
    look = _look_at_file if engine.dialect.name == "sqlite" else _listen

    def watch() -> None:
        while not over.is_set():
            try:
                with engine.connect() as connection:
                    look(connection, awake, over)
            except (SQLAlchemyError, sqlite3.Error, ProcessionError, OSError) as error:
                log.info("what others commit is seen a moment later: %s", type(error).__name__)
                over.wait(AGAIN_SECONDS)

    thread = threading.Thread(target=watch, name="news", daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def _look_at_file(connection: Connection, awake: Callable[[], None], over: threading.Event) -> None:
    asked = cast("sqlite3.Connection", connection.connection.driver_connection)
    seen, quiet_from = None, 0.0
    while not over.is_set():
        version = asked.execute("PRAGMA data_version").fetchone()
        now = time.monotonic()
        if version != seen:
            seen, quiet_from = version, now + QUIET_SECONDS
            awake()
        time.sleep(LOOK_SECONDS if now < quiet_from else QUIET_LOOK_SECONDS)


def _listen(connection: Connection, awake: Callable[[], None], over: threading.Event) -> None:
    listening = cast("psycopg.Connection[Any]", connection.connection.driver_connection)
    connection.detach()  # it listens as long as it lives
    listening.autocommit = True
    try:
        listening.execute(_LISTEN)
        awake()
        while not over.is_set():
            for _ in listening.notifies(timeout=LISTEN_SECONDS, stop_after=1):
                awake()
    except listening.Error as error:
        raise ConnectionError("The database was lost.") from error
