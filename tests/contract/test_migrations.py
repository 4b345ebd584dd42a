"""The migrations make the tables that `crm.tables` and `crm.journal` say, on both databases."""

import shutil
import socket
from collections.abc import Callable
from pathlib import Path

import psycopg
import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Inspector, inspect, text
from sqlalchemy.exc import StatementError

from crm import migrate
from crm.columns import METADATA
from crm.database import PATIENCE, engine_of
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


def set_version(url: str, version: str) -> None:
    engine = engine_of(url)
    with engine.begin() as connection:
        connection.execute(text(f"UPDATE alembic_version SET version_num = '{version}'"))
    engine.dispose()


def test_tables_of_an_older_version_are_refused(empty_database: Path, tmp_path: Path) -> None:
    path = tmp_path / "old.sqlite"
    shutil.copy(empty_database, path)
    set_version(f"sqlite:///{path}", "0001")

    with pytest.raises(
        ConfigurationError, match=f"they are of version 0001, this program needs {migrate.HEAD}"
    ) as refused:
        open_store(f"sqlite:///{path}")
    assert refused.value.hint == "Run `procession init`."


def test_records_of_an_older_version_are_there_after_the_upgrade(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'old.sqlite'}"
    engine = engine_of(url)
    with engine.begin() as connection:
        config = migrate._config()
        config.attributes["connection"] = connection
        command.upgrade(config, "0001")
        columns = "name, website, phone, industry, country"
        connection.execute(text(f"INSERT INTO account ({columns}) VALUES ('Acme', '', '', '', '')"))
    engine.dispose()

    migrate.upgrade(url)

    store = open_store(url)
    with store.unit(write=False) as unit:
        assert [str(one) for one in unit.records.find("account", {})] == ["Acme"]
    store.close()


def test_every_reference_has_an_index(url: str) -> None:
    """Or whatever is deleted would be looked for in all of the other table, by the database itself."""
    engine = engine_of(url)

    with engine.connect() as connection:
        known = inspect(connection)
        without = [
            f"{table}.{key['constrained_columns'][0]}"
            for table in known.get_table_names()
            for key in known.get_foreign_keys(table)
            if key["constrained_columns"][0] not in first_columns(known, table)
        ]

    engine.dispose()
    assert without == []


def first_columns(known: Inspector, table: str) -> set[str | None]:
    """The columns that indexes, unique constraints and the primary key begin with."""
    keys = [index["column_names"] for index in known.get_indexes(table)]
    keys += [unique["column_names"] for unique in known.get_unique_constraints(table)]
    keys += [known.get_pk_constraint(table)["constrained_columns"]]
    return {columns[0] for columns in keys if columns}


@pytest.mark.parametrize("take", [open_store, migrate.upgrade])
def test_tables_of_a_newer_version_need_a_newer_program(
    take: Callable[[str], object], empty_database: Path, tmp_path: Path
) -> None:
    path = tmp_path / "new.sqlite"
    shutil.copy(empty_database, path)
    set_version(f"sqlite:///{path}", "0999")

    with pytest.raises(ConfigurationError, match="are of version 0999, which this program") as refused:
        take(f"sqlite:///{path}")

    assert refused.value.hint == "They are of a newer Procession: install that one, or put back a backup."


@pytest.mark.external_service
def test_a_database_that_is_not_on_the_server_is_told_apart_from_a_server_that_is_away(
    postgresql: Callable[[str], str],
) -> None:
    with pytest.raises(ConfigurationError, match='database "nothing" does not exist') as refused:
        open_store(postgresql("nothing"))

    assert refused.value.hint == "Make it on the server, or name another in the database setting."


def test_a_server_that_never_answers_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(PATIENCE, "connect_timeout", 2)

    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"postgresql://app@127.0.0.1:{silent.getsockname()[1]}/crm"
        with pytest.raises(ConfigurationError, match="timeout expired"):
            open_store(url)


def test_no_error_of_a_statement_shows_what_was_to_be_stored(tmp_path: Path) -> None:
    engine = engine_of(f"sqlite:///{tmp_path / 'store.sqlite'}")

    with engine.connect() as connection, pytest.raises(StatementError) as wrong:
        connection.execute(text("SELECT :name, :email"), {"email": "ann@acme.example"})

    assert "ann@acme.example" not in str(wrong.value)
    engine.dispose()


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
