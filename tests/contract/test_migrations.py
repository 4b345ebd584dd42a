"""The migrations make the tables that `crm.tables` and `crm.journal` say, on both databases."""

import shutil
from collections.abc import Callable
from pathlib import Path

import psycopg
import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import text

from crm import migrate
from crm.columns import METADATA
from crm.database import engine_of
from crm.store import open_store
from procession.errors import ConfigurationError
from procession.records import Ref


@pytest.fixture
def no_tables(postgresql: Callable[[str], str]) -> str:
    """The URL of a PostgreSQL database without tables."""
    with psycopg.connect(postgresql("postgres"), autocommit=True) as connection:
        connection.execute("DROP DATABASE IF EXISTS bare WITH (FORCE)")
        connection.execute("CREATE DATABASE bare")
    return postgresql("bare")


def test_what_the_migrations_make_is_what_the_tables_say(url: str) -> None:
    engine = engine_of(url)

    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        differences = compare_metadata(context, METADATA)

    engine.dispose()
    assert differences == []


def test_the_version_that_is_asked_for_is_the_newest_there_is() -> None:
    assert migrate.head() == migrate.HEAD


def test_an_upgrade_of_what_is_up_to_date_changes_nothing(url: str) -> None:
    store = open_store(url)
    with store.unit() as unit:
        before = unit.records.find("activity", {"category": "meeting"})

    migrate.upgrade(url)

    engine = engine_of(url)
    assert migrate.current(engine) == migrate.HEAD
    assert before == []
    engine.dispose()
    store.close()


def test_a_new_sqlite_file_gets_its_tables_and_its_folder(tmp_path: Path) -> None:
    store = open_store(f"sqlite:///{tmp_path / 'data' / 'new.sqlite'}")

    with store.unit(write=False) as unit:
        assert unit.records.find("contact", {}) == []
    store.close()


@pytest.mark.external_service
def test_a_postgresql_database_without_tables_must_be_initialised_by_its_operator(no_tables: str) -> None:
    with pytest.raises(ConfigurationError, match="has no tables of Procession") as refused:
        open_store(no_tables)
    assert refused.value.hint == "Run `procession init`."

    migrate.upgrade(no_tables)
    open_store(no_tables).close()


def test_tables_of_another_version_are_refused(empty_database: Path, tmp_path: Path) -> None:
    path = tmp_path / "old.sqlite"
    shutil.copy(empty_database, path)
    engine = engine_of(f"sqlite:///{path}")
    with engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '0000'"))
    engine.dispose()

    with pytest.raises(
        ConfigurationError, match="they are of version 0000, this program needs 0001"
    ) as refused:
        open_store(f"sqlite:///{path}")
    assert refused.value.hint == "Run `procession init`."


def test_a_table_that_is_missing_is_told_apart_from_a_database_that_is(
    empty_database: Path, tmp_path: Path
) -> None:
    path = tmp_path / "broken.sqlite"
    shutil.copy(empty_database, path)
    store = open_store(f"sqlite:///{path}")
    with store._engine.begin() as connection:
        connection.execute(text("DROP TABLE history"))

    with store.unit(write=False) as unit, pytest.raises(ConfigurationError, match="no such table: history"):
        unit.history.of(Ref("contact", 1))
    store.close()


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("somewhere", "'somewhere' is not the URL of a database"),
        ("mysql://host/name", "There is no store for 'mysql'"),
        ("sqlite://", "A store in memory would be another one for every thread"),
        ("postgresql://nobody@127.0.0.1:1/nothing", "The database cannot be used: connection"),
        ("sqlite:////proc/no/such/folder.sqlite", "The database cannot be used"),
    ],
)
def test_a_database_that_cannot_be_used_says_why(url: str, message: str) -> None:
    with pytest.raises(ConfigurationError, match=message) as refused:
        open_store(url)

    assert refused.value.hint


def test_a_file_that_is_no_database_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "letter.sqlite"
    path.write_text("Dear Ann, " * 1000)

    with pytest.raises(ConfigurationError, match="file is not a database"):
        open_store(f"sqlite:///{path}")
