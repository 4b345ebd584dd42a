"""A world kept in a SQLite file: everything that changed is written at the end of each request.

The world works in memory; the file is what it is read from when it starts. Events and subscriptions are not
kept, so a watermark from before a restart is refused as an old one is.
"""

import sqlite3
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from procession.sandbox.mailbox import rows
from procession.sandbox.mailbox.changes import ChangeLog
from procession.sandbox.mailbox.index import FolderOrder
from procession.sandbox.mailbox.store import Mailbox
from procession.sandbox.mailbox.words import Event
from procession.sandbox.mailbox.world import World

_SCHEMA = """
create table if not exists meta (key text primary key, value integer not null);
create table if not exists user (address text primary key, name text, password text, timezone text, oof text);
create table if not exists folder (mailbox text, id integer, body text not null, primary key (mailbox, id));
create table if not exists item (mailbox text, id integer, body text not null, primary key (mailbox, id));
create table if not exists mark (mailbox text, folder integer, item integer, body text not null, primary key (mailbox, folder, item));
create table if not exists ledger (number integer primary key, body text not null);
"""
_DELETE = {
    "folder": "delete from folder where mailbox = ? and id = ?",
    "item": "delete from item where mailbox = ? and id = ?",
}
_REPLACE = {
    "folder": "insert or replace into folder values (?, ?, ?)",
    "item": "insert or replace into item values (?, ?, ?)",
}
_BODIES = {
    "folder": "select body from folder where mailbox = ? order by id",
    "item": "select body from item where mailbox = ? order by id",
}
HIERARCHY = 0
"""The folder number under which marks of the hierarchy itself are kept."""


class Database:
    """Keeps one world. Call `flush` when a request is done; `load` fills an empty world."""

    def __init__(self, path: Path, world: World) -> None:
        self._connection = sqlite3.connect(path, check_same_thread=False)
        self._connection.executescript(_SCHEMA)
        self._world = world
        self._items: set[tuple[str, int, int]] = set()
        self._folders: set[tuple[str, int]] = set()
        self._posted = 0

    def follow(self) -> None:
        """Write down every change from now on, and all there is now."""
        self._world.listeners.append(self._hear)
        for mailbox in self._world.mailboxes.values():
            self._folders |= {(mailbox.address, number) for number in mailbox.folders}
            self._items |= {(mailbox.address, item.id, item.folder) for item in mailbox.items.values()}
        self.flush()

    def _hear(self, mailbox: Mailbox, event: Event) -> None:
        if event.item is None:
            self._folders.add((mailbox.address, event.folder))
            return
        self._items.add((mailbox.address, event.item, event.folder))
        if event.old_item is not None and event.old_folder is not None:
            self._items.add((mailbox.address, event.old_item, event.old_folder))

    def flush(self) -> None:
        """Write what has changed, in one transaction."""
        world = self._world
        with self._connection as connection:
            connection.execute("insert or replace into meta values ('last', ?)", (world.ticker.last,))
            users = [
                (box.address, box.name, box.password, box.timezone, str(box.oof.get("settings", "")))
                for box in world.mailboxes.values()
            ]
            connection.executemany("insert or replace into user values (?, ?, ?, ?, ?)", users)
            for address, number in self._folders:
                self._write_folder(world.mailboxes[address.lower()], number)
            for address, number, folder in self._items:
                self._write_item(world.mailboxes[address.lower()], number, folder)
            for place in range(self._posted, len(world.ledger)):
                connection.execute(
                    "insert or replace into ledger values (?, ?)", (place, rows.write(world.ledger[place]))
                )
        self._folders.clear()
        self._items.clear()
        self._posted = len(world.ledger)

    def _write_folder(self, mailbox: Mailbox, number: int) -> None:
        self._put("folder", mailbox, number, mailbox.folders.get(number))
        if number in mailbox.hierarchy.marks:
            self._put_mark(mailbox, HIERARCHY, number, mailbox.hierarchy)

    def _write_item(self, mailbox: Mailbox, number: int, folder: int) -> None:
        self._put("item", mailbox, number, mailbox.items.get(number))
        log = mailbox.logs.get(folder)
        if log is not None and number in log.marks:
            self._put_mark(mailbox, folder, number, log)

    def _put(self, table: str, mailbox: Mailbox, number: int, value: Any) -> None:
        if value is None:
            self._connection.execute(_DELETE[table], (mailbox.address, number))
        else:
            self._connection.execute(_REPLACE[table], (mailbox.address, number, rows.write(value)))

    def _put_mark(self, mailbox: Mailbox, folder: int, number: int, log: ChangeLog) -> None:
        row = (mailbox.address, folder, number, rows.write(log.marks[number]))
        self._connection.execute("insert or replace into mark values (?, ?, ?, ?)", row)

    def load(self) -> bool:
        """Fill the world from the file; False when the file holds nothing."""
        world = self._world
        for address, name, password, timezone, oof in self._connection.execute("select * from user"):
            mailbox = Mailbox(
                address, name, password, world.ticker, world.moment, world.hear, timezone=timezone
            )
            mailbox.oof = {"settings": oof} if oof else {}
            world.mailboxes[address.lower()] = mailbox
            self._load_folders(mailbox)
            self._load_items(mailbox)
            self._load_marks(mailbox)
        world.ledger += [
            rows.read(body) for (body,) in self._connection.execute("select body from ledger order by number")
        ]
        self._posted = len(world.ledger)
        last = self._connection.execute("select value from meta where key = 'last'").fetchone()
        world.ticker.last = last[0] if last else 0
        return bool(world.mailboxes)

    def _load_folders(self, mailbox: Mailbox) -> None:
        for folder in self._bodies("folder", mailbox):
            mailbox.folders[folder.id] = folder
            mailbox.children.setdefault(folder.parent, []).append(folder.id)
            mailbox.logs[folder.id], mailbox.orders[folder.id] = ChangeLog(), FolderOrder()
            mailbox.roles |= {folder.role: folder.id} if folder.role else {}
            mailbox.hierarchy.arrived(folder.id, folder.created)

    def _load_items(self, mailbox: Mailbox) -> None:
        for item in sorted(self._bodies("item", mailbox), key=lambda one: one.arrival):
            mailbox.restore(item)

    def _load_marks(self, mailbox: Mailbox) -> None:
        found = self._connection.execute(
            "select folder, item, body from mark where mailbox = ?", (mailbox.address,)
        ).fetchall()
        marks = sorted(
            ((rows.read(body), folder, item) for folder, item, body in found), key=lambda row: row[0].number
        )
        for mark, folder, item in marks:
            log = mailbox.hierarchy if folder == HIERARCHY else mailbox.logs.get(folder)
            if log is not None:
                log.restore(item, mark)

    def _bodies(self, table: str, mailbox: Mailbox) -> Iterable[Any]:
        return [rows.read(body) for (body,) in self._connection.execute(_BODIES[table], (mailbox.address,))]

    def close(self) -> None:
        self.flush()
        self._connection.close()
