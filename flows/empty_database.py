"""The empty database of a Prefect server: made once on a machine, then copied.

Prefect makes its tables by two hundred migrations, which is 8 s of computing. So the first server that starts for a
user keeps what came of them, and the database of every later project begins as a copy:

    $XDG_CACHE_HOME/procession/prefect-<version>.sqlite.gz      without that variable: ~/.cache/procession/…

A copy that is damaged, or is something else, is made anew. The folder may be deleted at any time; where it cannot be
written every project migrates for itself. Prefect still checks what it finds, and migrates on.
"""

import gzip
import os
import sqlite3
import tempfile
import zlib
from collections.abc import Callable, Mapping
from contextlib import closing
from importlib.metadata import version
from pathlib import Path

FILLED = ("flow", "flow_run", "deployment", "block_document", "automation")
"""Tables that hold nothing before a server ran."""


def kept(environment: Mapping[str, str] = os.environ) -> Path:
    """Where the copy of this Prefect version is, if there is one.

    Raises:
        RuntimeError: this user has no home.
    """
    named = Path(environment.get("XDG_CACHE_HOME", ""))
    cache = named if named.is_absolute() else Path.home() / ".cache"
    return cache / "procession" / f"prefect-{version('prefect')}.sqlite.gz"


def begin(database: Path) -> bool:
    """Put a copy where a project has no database yet; returns whether there is one now."""
    if database.exists():
        return True
    try:
        content = gzip.decompress(kept().read_bytes())
        if not content or not _is_empty(content):
            return False
        _write(database, content, _unless_there)
    except (OSError, EOFError, zlib.error, RuntimeError):
        return False
    return True


def keep(content: bytes) -> None:
    """Keep a freshly migrated database for later projects.

    Raises:
        OSError, RuntimeError: there is no place for it.
    """
    file = kept()
    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    _write(file, gzip.compress(content, mtime=0), os.replace)


def make(database: Path, migrate: Callable[[Path], None]) -> None:
    """Make a database by Prefect's own migrations, and keep a copy if that is possible.

    A project gets it only when it is whole: whoever is killed in the middle begins anew.

    Args:
        migrate: makes a database file and fills it with tables.

    Raises:
        OSError: the database cannot be written.
    """
    with tempfile.TemporaryDirectory(prefix="procession-") as folder:
        migrated, packed = Path(folder) / "migrated.sqlite", Path(folder) / "packed.sqlite"
        migrate(migrated)
        with closing(sqlite3.connect(migrated)) as connection:
            connection.execute("VACUUM INTO ?", (str(packed),))  # what is still in its log is in there, too
        content = packed.read_bytes()
    try:
        keep(content)
    except (OSError, RuntimeError) as error:
        print(f"The empty database is not kept for other projects: {error}")  # noqa: T201  # this is server.log
    _write(database, content, _unless_there)


def _is_empty(content: bytes) -> bool:
    with closing(sqlite3.connect(":memory:")) as connection:
        try:
            connection.deserialize(content)
            versions = connection.execute("SELECT count(*) FROM alembic_version").fetchone()
            rows = [connection.execute(f"SELECT count(*) FROM {table}").fetchone() for table in FILLED]  # noqa: S608  # our names
        except sqlite3.Error:
            return False
    return versions == (1,) and set(rows) == {(0,)}


def _write(file: Path, content: bytes, put: Callable[[Path, Path], None]) -> None:
    """Nobody ever sees half of it: `put` moves what is written into its place."""
    descriptor, name = tempfile.mkstemp(dir=file.parent, prefix=f".{file.name}.")
    unfinished = Path(name)
    try:
        with os.fdopen(descriptor, "wb") as out:
            out.write(content)
        put(unfinished, file)
    finally:
        unfinished.unlink(missing_ok=True)


def _unless_there(written: Path, file: Path) -> None:
    """Another start may have been faster, and its server is at work on its file."""
    try:
        os.link(written, file)
    except FileExistsError:
        return
    except OSError:  # a file system without links
        if not file.exists():
            written.replace(file)
