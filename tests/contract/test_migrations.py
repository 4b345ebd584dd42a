"""The migrations make the tables that `crm.tables` and `crm.journal` say, on both databases."""

import shutil
import socket
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from uuid import RFC_4122, UUID

import psycopg
import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Inspector, MetaData, inspect, text
from sqlalchemy.exc import StatementError

from crm import migrate
from crm.columns import METADATA
from crm.database import PATIENCE, engine_of
from crm.starting import live_key, row_of
from crm.store import open_store
from procession.effects import Recipient, SendMail
from procession.errors import ConfigurationError
from procession.mail import compose, invitation
from procession.ports import Start
from procession.records import Record, Ref

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
QUEUED = Start("notify", "d", "Notify", "17", "queued", {}, {"id": "saved"})


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


# --- what version 0.1 had sent


@dataclass(frozen=True)
class Old:
    """A database of version 0.1."""

    url: str

    def __post_init__(self) -> None:
        engine = engine_of(self.url)
        with engine.begin() as connection:
            config = migrate._config()
            config.attributes["connection"] = connection
            command.upgrade(config, "0002")
        engine.dispose()

    def insert(self, table: str, **values: object) -> None:
        engine = engine_of(self.url)
        columns = ", ".join(f'"{name}"' for name in values)
        with engine.begin() as connection:
            names = ", ".join(f":{name}" for name in values)
            connection.execute(text(f'INSERT INTO "{table}" ({columns}) VALUES ({names})'), values)
        engine.dispose()

    def activity(self, number: int, **values: object) -> None:
        texts = dict.fromkeys(("timezone", "location", "body"), "")
        row = {"type": "task", "subject": "Talk", "status": "planned", "priority": "normal", **texts}
        at = "2026-03-02T09:30:00.000000+00:00"
        times = {"created_at": at, "modified_at": at}
        self.insert("activity", id=number, all_day=False, external=False, **{**row, **times, **values})

    def invitation(self, number: int, to_meeting: int, sender: str, state: str) -> None:
        """As version 0.1 wrote it: of a record that has no UID."""
        meeting = Record(Ref("activity", to_meeting), {"subject": "Ü" * 60, "start": NOON})
        people = {"sender": Recipient(sender), "to": (Recipient("ann@acme.example", "Ann"),)}
        mail = SendMail(
            f"<{number}@us.example>",
            **people,
            subject="Talk",
            text="Come",
            attachments=(invitation(meeting, **people),),
        )
        self.activity(number, type="email")
        texts = dict.fromkeys(
            ("sender_name", "in_reply_to", "template", "language", "claimed_by", "detail"), ""
        )
        row = {
            "message_id": mail.message_id,
            "direction": "out",
            "sender": sender,
            "to": "[]",
            "state": state,
        }
        where = {"attempts": 1, "on_unknown": "hold", "path": "", "round": ""}
        self.insert("email_message", activity_id=number, **row, **texts, **where)
        self.insert("email_source", activity_id=number, mime=compose(mail, NOON))


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.external_service)])
def old(request: pytest.FixtureRequest, tmp_path: Path) -> Old:
    if request.param == "sqlite":
        return Old(f"sqlite:///{tmp_path / 'old.sqlite'}")
    return Old(request.getfixturevalue("no_tables"))


def uids(url: str) -> dict[int, str]:
    store = open_store(url)
    with store.unit(write=False) as unit:
        found = {activity.id: activity.uid for activity in unit.records.find("activity", {}, order="id")}
    store.close()
    return found


def test_meetings_keep_the_uid_of_the_invitation_that_version_0_1_sent_last(old: Old) -> None:
    for meeting in (1, 2, 3, 4):
        old.activity(meeting)
    old.invitation(11, 1, "anna@us.example", "sent")
    old.invitation(
        12, 1, "eve@uk.example", "sent"
    )  # another owner: calendars have it twice, this is the newer
    old.invitation(13, 1, "bob@us.example", "cancelled")
    old.invitation(14, 2, "crm@us.example", "unknown")
    old.invitation(15, 3, "crm@us.example", "queued")
    old.invitation(16, 99, "crm@us.example", "sent")  # of a meeting that is gone

    migrate.upgrade(old.url)

    found = uids(old.url)
    assert [found[number] for number in (1, 2, 3)] == [
        "activity-1@uk.example", "activity-2@us.example", "activity-3@us.example",
    ]  # fmt: skip
    assert UUID(found[4]).version == 4
    assert {found[number] for number in (11, 12, 13, 14, 15, 16)} == {""}


def test_activities_of_version_0_1_that_nobody_was_invited_to_get_uids_of_their_own(old: Old) -> None:
    for number in range(1, 30):
        old.activity(number, type="call" if number % 2 else "task")

    migrate.upgrade(old.url)

    found = set(uids(old.url).values())
    assert len(found) == 29
    assert {str(UUID(uid)) for uid in found} == found
    assert {UUID(uid).variant for uid in found} == {RFC_4122}


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


# --- keys


def test_one_that_has_its_key_since_before_there_were_lines_passes_it_on(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'old.sqlite'}"
    engine = engine_of(url)
    with engine.begin() as connection:
        config = migrate._config()
        config.attributes["connection"] = connection
        command.upgrade(config, "0007")
        rows = MetaData()
        rows.reflect(connection, only=["instance"])
        instance = rows.tables["instance"]
        values = row_of(QUEUED, 1, NOON) | {"live_key": live_key(QUEUED), "started_at": NOON.isoformat()}
        known = {name: value for name, value in values.items() if name in instance.c}
        connection.execute(instance.insert(), known)
    engine.dispose()

    migrate.upgrade(url)

    store = open_store(url)
    with store.unit() as unit:
        (second,) = unit.journal.start([QUEUED], NOON)
        unit.journal.ask_to_stop([1], "by anna", NOON)
        assert [(one.id, one.state) for one in unit.journal.instances()] == [
            (second, "ready"),
            (1, "cancelled"),
        ]
    store.close()
