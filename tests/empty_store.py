"""An empty store in a SQLite file: migrated once in a process, then copied. Migrating takes longer than most tests do."""

import sqlite3
from contextlib import closing
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from uuid import uuid4

from crm.store import open_store


def empty_store(path: Path) -> str:
    """Put one at `path` unless there is a file; returns its URL. As if it had been migrated there, it is an installation of
    its own."""
    if not path.exists():
        path.write_bytes(_migrated())
        with closing(sqlite3.connect(path)) as connection, connection:
            connection.execute("PRAGMA synchronous=OFF")
            own = (uuid4().hex, uuid4().hex)
            connection.execute("UPDATE installation SET installation = ?, incarnation = ?", own)
    return f"sqlite:///{path}"


@cache
def _migrated() -> bytes:
    with TemporaryDirectory(prefix="procession-") as folder:
        path = Path(folder) / "empty.sqlite"
        open_store(f"sqlite:///{path}").close()
        return path.read_bytes()
