"""A database by its URL: SQLite through `sqlite3`, PostgreSQL through psycopg 3, each set up for the store."""

import os
from pathlib import Path
from typing import Any

from sqlalchemy import URL, Connection, Engine, create_engine, event, make_url
from sqlalchemy.exc import ArgumentError
from sqlalchemy.sql.compiler import InsertmanyvaluesSentinelOpts

from crm.columns import dumps
from crm.failures import translate, unreachable
from procession.errors import ConfigurationError

BUSY_SECONDS = 30
"""How long a writer waits for the others on SQLite."""

PATIENCE = {"connect_timeout": 10, "keepalives_idle": 30, "keepalives_interval": 10, "keepalives_count": 3}
"""Of libpq, in seconds: how long a server may take to answer, and how soon it shows that it is gone. A URL may
say otherwise: `postgresql://host/name?connect_timeout=60`."""

ASLEEP_SECONDS = 120
"""A unit on PostgreSQL that asks nothing for so long is ended by the server."""

LONGEST_UNIT_SECONDS = 900
"""So is one that lasts so long. A process that is put to sleep halfway through sending a statement counts as busy:
only this ends it, and only PostgreSQL 17 and later know it. The longest unit is the check of a big file that is to be imported."""

NUMBERED_IN_ORDER = InsertmanyvaluesSentinelOpts.ANY_AUTOINCREMENT
"""SQLite numbers the rows of an INSERT in their order, from the highest number there was (AUTOINCREMENT). SQLAlchemy
does not count on it, and would insert row by row where it is asked for the numbers of many rows in order."""

NUMBERED_IN_ORDER = InsertmanyvaluesSentinelOpts.ANY_AUTOINCREMENT
"""SQLite numbers the rows of an INSERT in their order, from the highest number there was (AUTOINCREMENT). SQLAlchemy
does not count on it, and would insert row by row where it is asked for the numbers of many rows in order."""

TRANSACTION_TIMEOUT_SINCE = 170000


def engine_of(url: str) -> Engine:
    """Raises:
    ConfigurationError: not the URL of a database this store can use.
    """
    try:
        address = make_url(url)
    except ArgumentError as error:
        raise ConfigurationError(f"{url!r} is not the URL of a database.", hint=_URL_HINT) from error
    if address.get_backend_name() == "sqlite":
        return _sqlite(address)
    if address.get_backend_name() in ("postgresql", "postgres"):
        options: dict[str, Any] = {"pool_pre_ping": True, "pool_size": 10, "max_overflow": 20}
        known = {name: value for name, value in PATIENCE.items() if name not in address.query}
        address = address.set(drivername="postgresql+psycopg")
        engine = create_engine(address, connect_args=known, **_SHARED, **options)
        if "options" not in address.query:
            event.listen(engine, "connect", _let_go_of_locks)
        return _prepared(engine)
    raise ConfigurationError(f"There is no store for {address.get_backend_name()!r}.", hint=_URL_HINT)


_URL_HINT = "Write it as sqlite:///procession.sqlite or postgresql://user:password@host/name."
_SHARED: dict[str, Any] = {"json_serializer": dumps, "hide_parameters": True}
"""Parameters are addresses and texts of mails: no traceback shows them."""


def _sqlite(address: URL) -> Engine:
    if not address.database or address.database == ":memory:":
        raise ConfigurationError("A store in memory would be another one for every thread.", hint=_URL_HINT)
    try:
        _make_private(Path(address.database).absolute())
    except OSError as error:
        raise unreachable(f"its file cannot be made ({error.strerror})") from error
    arguments = {"isolation_level": None, "timeout": BUSY_SECONDS, "check_same_thread": False}
    engine = create_engine(address, connect_args=arguments, pool_size=10, max_overflow=20, **_SHARED)
    engine.dialect.insertmanyvalues_implicit_sentinel = NUMBERED_IN_ORDER

    @event.listens_for(engine, "connect")
    def prepare(connection: Any, _record: object) -> None:
        for pragma in ("journal_mode=WAL", "synchronous=NORMAL", "foreign_keys=ON", "cache_size=-32000"):
            connection.execute(f"PRAGMA {pragma}")

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        connection.exec_driver_sql(connection.get_execution_options().get("begin", "BEGIN IMMEDIATE"))

    return _prepared(engine)


def _make_private(file: Path) -> None:
    """Customers and their mails are nobody else's on this machine. SQLite gives the files beside it the same mode."""
    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    if not file.exists():
        os.close(os.open(file, os.O_RDWR | os.O_CREAT, 0o600))


def _let_go_of_locks(connection: Any, _record: object) -> None:
    """Of a process that was put to sleep in the middle of a unit, so that others can take over what it locked."""
    connection.autocommit = True
    connection.execute(f"SET idle_in_transaction_session_timeout = '{ASLEEP_SECONDS}s'")
    if connection.info.server_version >= TRANSACTION_TIMEOUT_SINCE:
        connection.execute(f"SET transaction_timeout = '{LONGEST_UNIT_SECONDS}s'")
    connection.autocommit = False


def _prepared(engine: Engine) -> Engine:
    event.listen(engine, "handle_error", translate)
    return engine
