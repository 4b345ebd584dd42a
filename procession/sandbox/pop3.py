"""The POP3 face (RFC 1939, CAPA of RFC 2449): the inbox as it is at login; UIDL is the item's id.

Deleted messages go when the client says QUIT, and only then.
"""

import asyncio
import logging
import ssl
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from procession.sandbox.faults import FaultPlan
from procession.sandbox.lines import LINE_LIMIT, Connection, Dropped
from procession.sandbox.mailbox import mime
from procession.sandbox.mailbox.items import Item
from procession.sandbox.mailbox.world import World

log = logging.getLogger(__name__)
CAPABILITIES = ("TOP", "UIDL", "USER", "RESP-CODES", "PIPELINING", "UTF8")


@dataclass(slots=True)
class _Visit:
    """One login: the messages as they were then, and which are to be deleted."""

    connection: Connection
    name: str = ""
    items: tuple[Item, ...] = ()
    deleted: set[int] = field(default_factory=set)

    def pick(self, text: str) -> Item | None:
        """The message with this number, unless it is deleted."""
        number = int(text) if text.isdigit() else 0
        if not 1 <= number <= len(self.items) or number in self.deleted:
            return None
        return self.items[number - 1]

    def left(self) -> list[tuple[int, Item]]:
        return [(number, item) for number, item in enumerate(self.items, 1) if number not in self.deleted]


@dataclass(slots=True)
class Pop3Face:
    world: World
    faults: FaultPlan
    log: Callable[[str], None] | None = None

    async def serve(self, host: str, port: int, tls: ssl.SSLContext | None) -> asyncio.Server:
        return await asyncio.start_server(self._connected, host, port, limit=LINE_LIMIT, ssl=tls)

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connection = Connection(reader, writer)
        try:
            connection.put("+OK The sandbox is ready")
            await self._converse(_Visit(connection))
        except Dropped:
            writer.transport.abort()
        except (ConnectionError, asyncio.CancelledError):
            log.debug("a connection ended early")
        finally:
            writer.close()

    async def _converse(self, visit: _Visit) -> None:
        connection = visit.connection
        while True:
            await connection.flush()
            line = await connection.line()
            if line is None:
                return
            word, _, rest = line.decode("utf-8", "replace").strip().partition(" ")
            name = word.upper()
            found = self.faults.take(f"pop3.{name}")
            wrong = await connection.strike(found)
            if wrong:
                connection.put(f"-ERR [SYS/TEMP] {wrong}")
                continue
            self._command(visit, name, rest.strip())
            if self.log is not None:
                self.log(f"pop3 {connection.user.address if connection.user else '-'} {name}")
            if found.get("drop-reply"):
                raise Dropped
            if name == "QUIT":
                await connection.flush()
                return

    def _command(self, visit: _Visit, name: str, rest: str) -> None:
        command = _ANYTIME.get(name) or (_LOGGED_IN.get(name) if visit.connection.user else None)
        if command is None:
            visit.connection.put("-ERR Log in first" if name in _LOGGED_IN else "-ERR Unknown command")
        elif name == "PASS":
            self._log_in(visit, rest)
        else:
            command(visit, rest)

    def _log_in(self, visit: _Visit, password: str) -> None:
        mailbox = self.world.logon(visit.name, password)
        if mailbox is None:
            visit.connection.put("-ERR [AUTH] Logon failure: unknown user name or bad password.")
            return
        visit.connection.user = mailbox
        visit.items = tuple(mailbox.contents(mailbox.role("inbox")))
        visit.connection.put(f"+OK {len(visit.items)} messages")


def _user(visit: _Visit, rest: str) -> None:
    visit.name = rest
    visit.connection.put("+OK")


def _capa(visit: _Visit, _rest: str) -> None:
    _many(visit, "+OK", list(CAPABILITIES))


def _many(visit: _Visit, first: str, lines: list[str]) -> None:
    for line in (first, *lines, "."):
        visit.connection.put(line)


def _quit(visit: _Visit, _rest: str) -> None:
    mailbox = visit.connection.user
    if mailbox is not None:
        for number in visit.deleted:
            current = mailbox.items.get(visit.items[number - 1].id)
            if current is not None:
                mailbox.remove(current)
    visit.connection.put("+OK Bye")


def _noop(visit: _Visit, _rest: str) -> None:
    visit.connection.put("+OK")


def _stat(visit: _Visit, _rest: str) -> None:
    left = visit.left()
    visit.connection.put(f"+OK {len(left)} {sum(len(mime.content(item)) for _, item in left)}")


def _listing(value: Callable[[Item], object]) -> Callable[[_Visit, str], None]:
    def command(visit: _Visit, rest: str) -> None:
        if not rest:
            _many(visit, "+OK", [f"{number} {value(item)}" for number, item in visit.left()])
            return
        item = visit.pick(rest)
        visit.connection.put(f"+OK {rest} {value(item)}" if item is not None else "-ERR No such message")

    return command


def _send(visit: _Visit, data: bytes) -> None:
    visit.connection.put("+OK")
    lines = data.removesuffix(b"\r\n").split(b"\r\n")
    visit.connection.writer.write(
        b"".join((b"." if line.startswith(b".") else b"") + line + b"\r\n" for line in lines)
    )
    visit.connection.put(".")


def _retr(visit: _Visit, rest: str) -> None:
    item = visit.pick(rest)
    if item is None:
        visit.connection.put("-ERR No such message")
        return
    mailbox = visit.connection.user
    current = mailbox.items.get(item.id) if mailbox is not None else None
    if mailbox is not None and current is not None and not current.is_read:
        mailbox.change(current, {**current.values, "is_read": True})
    _send(visit, mime.content(item))


def _top(visit: _Visit, rest: str) -> None:
    number, _, count = rest.partition(" ")
    item = visit.pick(number)
    if item is None or not count.strip().isdigit():
        visit.connection.put("-ERR No such message")
        return
    head, _, body = mime.content(item).partition(b"\r\n\r\n")
    _send(visit, head + b"\r\n\r\n" + b"\r\n".join(body.split(b"\r\n")[: int(count)]) + b"\r\n")


def _dele(visit: _Visit, rest: str) -> None:
    if visit.pick(rest) is None:
        visit.connection.put("-ERR No such message")
        return
    visit.deleted.add(int(rest))
    visit.connection.put("+OK Deleted when you quit")


def _rset(visit: _Visit, _rest: str) -> None:
    visit.deleted.clear()
    visit.connection.put("+OK")


_Command = Callable[[_Visit, str], None]
_ANYTIME: Mapping[str, _Command] = {"USER": _user, "PASS": _user, "CAPA": _capa, "QUIT": _quit, "NOOP": _noop}
_LOGGED_IN: Mapping[str, _Command] = {
    "STAT": _stat,
    "LIST": _listing(lambda item: len(mime.content(item))),
    "UIDL": _listing(lambda item: item.id),
    "RETR": _retr,
    "TOP": _top,
    "DELE": _dele,
    "RSET": _rset,
}
