"""The IMAP connection: lines and literals in, answers out, IDLE in between."""

import asyncio
import base64
import binascii
import logging
import ssl
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from procession.sandbox.faults import FaultPlan
from procession.sandbox.imap import folder_commands, message_commands
from procession.sandbox.imap.session import Command as Work
from procession.sandbox.imap.session import No, Session
from procession.sandbox.imap.syntax import Command, Malformed, Reader, pending_literal, text
from procession.sandbox.lines import LINE_LIMIT, Connection, Dropped
from procession.sandbox.mailbox.store import Mailbox
from procession.sandbox.mailbox.words import Event, Refused
from procession.sandbox.mailbox.world import World

log = logging.getLogger(__name__)
CAPABILITIES = "IMAP4rev1 LITERAL+ UIDPLUS SPECIAL-USE CONDSTORE ENABLE IDLE MOVE UNSELECT NAMESPACE ID SASL-IR AUTH=PLAIN"
LITERAL_LIMIT = 35 * 1024 * 1024
IDLE_SECONDS = 29 * 60.0


@dataclass(slots=True)
class ImapFace:
    world: World
    faults: FaultPlan
    log: Callable[[str], None] | None = None

    async def serve(self, host: str, port: int, tls: ssl.SSLContext | None) -> asyncio.Server:
        return await asyncio.start_server(self._connected, host, port, limit=LINE_LIMIT, ssl=tls)

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        session = Session(self.world, Connection(reader, writer))
        try:
            session.put(f"* OK [CAPABILITY {CAPABILITIES}] The sandbox is ready")
            while not session.ended:
                await session.connection.flush()
                data = await self._read(session)
                if data is None:
                    return
                await self._answer(session, data)
            await session.connection.flush()
        except Dropped:
            writer.transport.abort()
        except (ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            log.debug("a connection ended early")
        finally:
            writer.close()

    async def _read(self, session: Session) -> bytes | None:
        """One command with its literals, or None at the end."""
        connection = session.connection
        data = b""
        while True:
            line = await connection.line()
            if line is None:
                return None
            data += line
            pending = pending_literal(line)
            if pending is None:
                return data
            size, waits = pending
            if size > LITERAL_LIMIT:
                session.put("* BYE [TOOBIG] The literal is too large")
                await connection.flush()
                return None
            if waits:
                session.put("+ Go ahead")
                await connection.flush()
            data += await connection.reader.readexactly(size)

    async def _answer(self, session: Session, data: bytes) -> None:
        if not data.strip():
            return
        try:
            command = Reader(data).command()
        except Malformed as error:
            session.put(f"* BAD {error}")
            return
        name = _full_name(command)
        found = self.faults.take(f"imap.{name.removeprefix('UID ')}")
        wrong = await session.connection.strike(found)
        if wrong:
            session.put(f"{command.tag} NO [UNAVAILABLE] {wrong}")
            return
        reply = await self._outcome(session, command)
        if self.log is not None:
            user = session.connection.user
            self.log(f"imap {user.address if user else '-'} {name} {reply.partition(' ')[0]}")
        if found.get("drop-reply"):
            raise Dropped
        session.tell(removals=name not in message_commands.NO_REMOVALS)
        session.put(f"{command.tag} {reply}")

    async def _outcome(self, session: Session, command: Command) -> str:
        """The tagged answer. A mistake of ours is that command's answer (RFC 5530) and not the connection's end."""
        (outcome,) = await asyncio.gather(self._do(session, command), return_exceptions=True)
        if isinstance(outcome, str):
            return outcome
        if isinstance(outcome, ConnectionError | asyncio.CancelledError):
            raise outcome
        log.error("a mistake of the sandbox's own", exc_info=outcome)
        return "NO [SERVERBUG] An internal server error occurred"

    async def _do(self, session: Session, command: Command) -> str:
        """The tagged answer to a command."""
        try:
            if command.name == "IDLE":
                return await self._idle(session)
            if command.name == "AUTHENTICATE":
                return await self._authenticate(session, command.words)
            work = COMMANDS.get(command.name)
            if work is None:
                return f"BAD There is no command {command.name}"
            return f"OK {work(session, command.words)}"
        except No as refusal:
            return f"NO {f'[{refusal.code}] ' if refusal.code else ''}{refusal}"
        except Refused as refusal:
            return f"NO {refusal.message}"
        except Malformed as error:
            return f"BAD {error}"
        except (IndexError, ValueError):
            return "BAD Arguments are missing or wrong"

    async def _idle(self, session: Session) -> str:
        selected, connection = session.folder, session.connection
        woken = asyncio.Event()

        def hear(mailbox: Mailbox, event: Event) -> None:
            if mailbox is selected.mailbox and selected.folder.id in {event.folder, event.old_folder}:
                woken.set()

        self.world.listeners.append(hear)
        try:
            session.put("+ Waiting")
            done = asyncio.ensure_future(connection.line())
            while not done.done():
                session.tell(removals=True)
                await connection.flush()
                waiting = asyncio.ensure_future(woken.wait())
                await asyncio.wait({done, waiting}, timeout=IDLE_SECONDS, return_when=asyncio.FIRST_COMPLETED)
                waiting.cancel()
                woken.clear()
            line = done.result()
        finally:
            self.world.listeners.remove(hear)
        if line is None:
            session.ended = True
        return (
            "OK Idle ended"
            if line is not None and line.strip().upper() == b"DONE"
            else "BAD DONE was expected"
        )

    async def _authenticate(self, session: Session, words: list[Any]) -> str:
        if not words or text(words[0]).upper() != "PLAIN":
            return "NO Only PLAIN is offered"
        if len(words) > 1:
            given = text(words[1])
        else:
            session.put("+ ")
            await session.connection.flush()
            given = (await session.connection.line() or b"").decode("ascii", "replace").strip()
        try:
            _, user, password = base64.b64decode(given, validate=True).decode().split("\0")
        except (binascii.Error, ValueError):
            return "BAD The answer is not PLAIN"
        return _log_in(session, user, password)


def _full_name(command: Command) -> str:
    """A command's name; `UID FETCH` for the UID form of one."""
    first = command.words[0] if command.words else None
    return f"UID {first.upper()}" if command.name == "UID" and isinstance(first, str) else command.name


def _log_in(session: Session, user: str, password: str) -> str:
    mailbox = session.world.logon(user, password)
    if mailbox is None:
        return "NO [AUTHENTICATIONFAILED] Wrong user name or password"
    session.connection.user = mailbox
    return f"OK [CAPABILITY {CAPABILITIES}] Logged in"


def _login(session: Session, words: list[Any]) -> str:
    answer = _log_in(session, text(words[0]), text(words[1]))
    if answer.startswith("NO"):
        raise No("Wrong user name or password", code="AUTHENTICATIONFAILED")
    return answer.removeprefix("OK ")


def _capability(session: Session, _words: list[Any]) -> str:
    session.put(f"* CAPABILITY {CAPABILITIES}")
    return "That is all"


def _logout(session: Session, _words: list[Any]) -> str:
    session.put("* BYE Good-bye")
    session.ended = True
    return "Logged out"


def _noop(_session: Session, _words: list[Any]) -> str:
    return "Done"


def _enable(session: Session, words: list[Any]) -> str:
    enabled = "CONDSTORE" in {text(word).upper() for word in words}
    session.condstore |= enabled
    session.put(f"* ENABLED{' CONDSTORE' if enabled else ''}")
    return "Enabled"


def _id(session: Session, _words: list[Any]) -> str:
    session.put('* ID ("name" "Procession sandbox")')
    return "Pleased to meet you"


COMMANDS: Mapping[str, Work] = {
    "CAPABILITY": _capability,
    "LOGIN": _login,
    "LOGOUT": _logout,
    "NOOP": _noop,
    "CHECK": _noop,
    "ENABLE": _enable,
    "ID": _id,
    **folder_commands.COMMANDS,
    **message_commands.COMMANDS,
}
