"""The copy of an empty database that projects begin with: what is in it, and what is not believed."""

import gzip
import sqlite3
import threading
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from flows import empty_database

TABLES = (*empty_database.FILLED, "alembic_version", "log")


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache of its own, with nothing in it."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache"


def migrate(database: Path) -> None:
    """As Prefect does: with a log beside the file, which still holds what was written last."""
    with closing(sqlite3.connect(database)) as made:
        made.execute("PRAGMA journal_mode=WAL")
        for table in TABLES:
            made.execute(f"CREATE TABLE {table} (name)")
        made.execute("INSERT INTO alembic_version VALUES ('b1')")
        made.commit()


def never(_database: Path) -> None:
    raise AssertionError("a copy is there")


def versions(database: Path) -> list[str]:
    with closing(sqlite3.connect(database)) as opened:
        return [name for (name,) in opened.execute("SELECT name FROM alembic_version")]


def made(folder: Path) -> Path:
    """The database of a new project, from the copy or else by migrations."""
    folder.mkdir(exist_ok=True)
    if not empty_database.begin(folder / "prefect.sqlite"):
        empty_database.make(folder / "prefect.sqlite", migrate)
    return folder / "prefect.sqlite"


def test_the_first_project_migrates_and_the_next_one_begins_with_a_copy(tmp_path: Path, cache: Path) -> None:
    first, second = tmp_path / "first.sqlite", tmp_path / "second.sqlite"
    before = empty_database.begin(first)
    empty_database.make(first, migrate)

    after = empty_database.begin(second)

    assert (before, after) == (False, True)
    assert versions(first) == versions(second) == ["b1"]
    assert [file.parent for file in cache.rglob("*.gz")] == [cache / "procession"]
    assert list(tmp_path.glob(".*")) == list((cache / "procession").glob(".*")) == []


def test_the_copy_is_for_one_version_of_prefect_only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made(tmp_path / "old")
    monkeypatch.setattr(empty_database, "version", lambda _name: "3.99.0")

    assert not empty_database.begin(tmp_path / "new.sqlite")
    assert not (tmp_path / "new.sqlite").exists()


def cut(content: bytes) -> bytes:
    return content[: len(content) // 2]


def turned(content: bytes) -> bytes:
    middle = len(content) // 2
    return content[:middle] + bytes([content[middle] ^ 1]) + content[middle + 1 :]


def with_a_run_in_it(content: bytes) -> bytes:
    with closing(sqlite3.connect(":memory:")) as opened:
        opened.deserialize(gzip.decompress(content))
        opened.execute("INSERT INTO flow_run VALUES ('somebody else did this')")
        opened.commit()
        return gzip.compress(opened.serialize())


def of_another_program(_content: bytes) -> bytes:
    with closing(sqlite3.connect(":memory:")) as opened:
        opened.execute("CREATE TABLE bookmarks (name)")
        return gzip.compress(opened.serialize())


DAMAGES: dict[str, Callable[[bytes], bytes]] = {
    "empty": lambda _content: b"",
    "cut off": cut,
    "one bit turned": turned,
    "text": lambda _content: b"this is no archive",
    "an archive of text": lambda _content: gzip.compress(b"this is no database"),
    "another program's": of_another_program,
    "one that was used": with_a_run_in_it,
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_copy_that_is_damaged_or_foreign_is_made_anew(tmp_path: Path, damage: str) -> None:
    made(tmp_path / "before")
    copy = empty_database.kept()
    sound = copy.read_bytes()
    copy.write_bytes(DAMAGES[damage](sound))

    believed = empty_database.begin(tmp_path / "prefect.sqlite")
    made(tmp_path / "next")

    assert not believed
    assert not (tmp_path / "prefect.sqlite").exists()
    assert copy.read_bytes() == sound


def test_a_database_that_is_there_is_not_touched(tmp_path: Path) -> None:
    made(tmp_path / "before")
    file = tmp_path / "prefect.sqlite"
    file.write_bytes(b"anything")

    assert empty_database.begin(file)
    empty_database.make(file, migrate)  # another start was faster

    assert file.read_bytes() == b"anything"


@pytest.mark.parametrize("same_project", [True, False])
def test_two_starts_at_once_both_get_a_whole_database(tmp_path: Path, *, same_project: bool) -> None:
    meet = threading.Barrier(2)
    files: list[Path] = []

    def start(name: str) -> None:
        folder = tmp_path / ("both" if same_project else name)
        folder.mkdir(exist_ok=True)
        meet.wait(20)
        assert not empty_database.begin(folder / "prefect.sqlite")

        def migrate_together(database: Path) -> None:
            migrate(database)
            meet.wait(20)

        empty_database.make(folder / "prefect.sqlite", migrate_together)
        files.append(folder / "prefect.sqlite")

    threads = [threading.Thread(target=start, args=(name,)) for name in ("a", "b")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert [versions(file) for file in files] == [["b1"], ["b1"]]
    assert empty_database.begin(tmp_path / "third.sqlite")
    assert list(tmp_path.rglob(".prefect*")) == []


def test_of_two_starts_of_one_project_the_second_does_not_take_the_file_away(tmp_path: Path) -> None:
    database = tmp_path / "prefect.sqlite"

    def migrate_slowly(file: Path) -> None:
        migrate(file)
        empty_database.make(database, migrate)  # the other start, in the meantime

    empty_database.make(database, migrate)
    there = database.stat().st_ino
    empty_database.make(database, migrate_slowly)

    assert database.stat().st_ino == there


def test_without_a_place_for_the_copy_every_project_migrates_for_itself(
    tmp_path: Path, cache: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    cache.write_text("a file where the folder should be")

    assert not empty_database.begin(tmp_path / "prefect.sqlite")
    empty_database.make(tmp_path / "prefect.sqlite", migrate)

    assert versions(tmp_path / "prefect.sqlite") == ["b1"]
    assert "is not kept for other projects" in capsys.readouterr().out


def test_a_migration_that_fails_leaves_neither_a_database_nor_a_copy(tmp_path: Path) -> None:
    def fail(database: Path) -> None:
        migrate(database)
        raise SystemExit(1)

    with pytest.raises(SystemExit):
        empty_database.make(tmp_path / "prefect.sqlite", fail)

    assert not (tmp_path / "prefect.sqlite").exists()
    assert not empty_database.kept().exists()


def test_a_cache_folder_that_is_no_absolute_path_is_not_used() -> None:
    home = Path.home() / ".cache" / "procession"

    assert empty_database.kept({"XDG_CACHE_HOME": "here"}).parent == home
    assert empty_database.kept({"XDG_CACHE_HOME": ""}).parent == home
    assert empty_database.kept({}).parent == home
