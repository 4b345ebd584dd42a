"""When a Prefect server's database counts as damaged, and where it is kept then."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from flows.supervisor import Supervisor, is_damaged, moved_aside
from procession.errors import ConfigurationError


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Path]:
    file = tmp_path / "prefect.sqlite"
    with closing(sqlite3.connect(file)) as made:
        made.execute("CREATE TABLE flow_run (name)")
        made.executemany("INSERT INTO flow_run VALUES (?)", [("a run" * 100,)] * 1000)
        made.execute("CREATE INDEX by_name ON flow_run (name)")
        made.commit()
    return file


def test_a_sound_database_is_not_damaged_and_neither_is_none(database: Path, tmp_path: Path) -> None:
    (tmp_path / "nothing.sqlite").touch()

    assert not is_damaged(database)
    assert not is_damaged(tmp_path / "missing.sqlite")
    assert not is_damaged(tmp_path / "nothing.sqlite")


def test_text_half_a_file_and_a_wrong_page_are_damaged(database: Path, tmp_path: Path) -> None:
    sound = database.read_bytes()
    other = tmp_path / "other.sqlite"

    for content in (
        b"this is no database" * 100,
        sound[: len(sound) // 2],
        sound[:8192] + bytes(4096) + sound[12288:],
    ):
        other.write_bytes(content)
        assert is_damaged(other)


def test_a_database_that_somebody_writes_is_not_damaged(database: Path) -> None:
    with closing(sqlite3.connect(database)) as busy:
        busy.execute("BEGIN EXCLUSIVE")

        assert not is_damaged(database)


def test_what_is_moved_aside_takes_its_log_along(database: Path) -> None:
    database.with_name("prefect.sqlite-wal").write_text("the log")
    content = database.read_bytes()

    aside = moved_aside(database)

    assert aside.parent == database.parent
    assert aside.read_bytes() == content
    assert aside.with_name(aside.name + "-wal").read_text() == "the log"
    assert not database.exists()
    assert not database.with_name("prefect.sqlite-wal").exists()


def test_what_cannot_be_moved_is_told_with_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "prefect.sqlite"
    folder.write_text("damaged")

    def refuse(_self: Path, _target: Path) -> Path:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "replace", refuse)
    with pytest.raises(ConfigurationError, match=r"cannot be moved aside: .*Permission denied") as refused:
        moved_aside(folder)

    assert refused.value.hint == f"Delete {folder}: it only shows runs."


def test_a_supervisor_keeps_the_address_it_has_before_its_server_runs(tmp_path: Path) -> None:
    named, free = Supervisor(tmp_path, 4711), Supervisor(tmp_path, 0)

    assert named.url == "http://127.0.0.1:4711/api"
    assert free.url.startswith("http://127.0.0.1:")
    assert not free.url.endswith(":0/api")
    assert not free.answers()
    assert free.ui_url == free.url.removesuffix("/api")
