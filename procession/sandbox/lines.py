"""What the line-based mail faces have in common: a connection with its user, and the faults of one command."""

import asyncio
from dataclasses import dataclass

from procession.sandbox.faults import CallFaults
from procession.sandbox.mailbox.store import Mailbox

LINE_LIMIT = 64 * 1024
IDLE_SECONDS = 30 * 60.0


class Dropped(Exception):
    """A fault closes the connection."""


@dataclass(slots=True)
class Connection:
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    user: Mailbox | None = None

    async def line(self) -> bytes | None:
        """The next line with its end, or None when there is none."""
        try:
            async with asyncio.timeout(IDLE_SECONDS):
                data = await self.reader.readline()
        except (ValueError, TimeoutError):
            return None
        return data or None

    def put(self, text: str) -> None:
        self.writer.write(text.encode("utf-8", "surrogateescape") + b"\r\n")

    async def flush(self) -> None:
        await self.writer.drain()

    async def strike(self, found: CallFaults) -> str:
        """Faults that strike before a command: what is busy or wrong as text, or nothing.

        Raises:
            Dropped: the connection is to close.
        """
        if found.get("drop"):
            raise Dropped
        if fault := found.get("delay"):
            await asyncio.sleep(fault.number)
            raise Dropped
        if found.get("busy") or found.get("busy-fault") or found.get("busy-http"):
            return "the server is busy, try again later"
        fault = found.get("error") or found.get("inner")
        return fault.argument if fault is not None else ""
