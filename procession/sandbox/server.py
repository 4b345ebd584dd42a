"""The sandbox as a whole: one world of mailboxes, and the faces that serve it, on one event loop.

Everything runs on the loop's thread, so that no face ever sees another one's half-done change.
`Sandbox.start` runs the loop in a thread of its own; `call` runs a function there.
"""

import asyncio
import ssl
import threading
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Self, TypeVar

from procession.ports import Clock
from procession.sandbox.ews.face import broken
from procession.sandbox.faults import FaultPlan
from procession.sandbox.mailbox.database import Database
from procession.sandbox.mailbox.store import Mailbox
from procession.sandbox.mailbox.words import Event
from procession.sandbox.mailbox.world import World
from procession.sandbox.site import Site
from procession.sandbox.web import WebServer

Result = TypeVar("Result")
STOP_SECONDS = 10.0


class SystemClock:
    """The time of this machine."""

    def now(self) -> datetime:
        return datetime.now(UTC)  # noqa: TID251 - this is the clock


@dataclass(frozen=True, slots=True)
class Listening:
    """How to serve: the address, the port of each face (0 for a free one), the certificate, and how much to check."""

    host: str = "127.0.0.1"
    ews_port: int = 0
    smtp_port: int = 0
    imap_port: int = 0
    pop3_port: int = 0
    tls: ssl.SSLContext | None = None
    version: str = "Exchange2016"
    check_replies: bool = False
    database: Path | None = None
    """A SQLite file to keep everything in; without it a sandbox forgets."""


@dataclass(frozen=True, slots=True)
class Endpoints:
    """Where the faces listen; those of the mail faces are `host:port`."""

    ews: str
    smtp: str
    imap: str
    pop3: str
    control: str


@dataclass(slots=True)
class Sandbox:
    """A sandbox to start and stop. `log` gets one line for each request."""

    world: World = field(default_factory=lambda: World(SystemClock()))
    listening: Listening = field(default_factory=Listening)
    log: Callable[[str], None] | None = None
    faults: FaultPlan = field(default_factory=FaultPlan)
    site: Site = field(init=False)
    endpoints: Endpoints = field(init=False)
    _database: Database | None = None
    _flushing: bool = False
    _loop: asyncio.AbstractEventLoop = field(init=False)
    _thread: threading.Thread | None = None
    _stop: asyncio.Event = field(init=False)

    def __post_init__(self) -> None:
        if self.listening.database is not None:
            self._database = Database(self.listening.database, self.world)
            self._database.load()
        self.site = Site(
            self.world, self.faults, self.listening.version, self.log, self.listening.check_replies
        )

    @property
    def clock(self) -> Clock:
        return self.world.clock

    def start(self) -> Self:
        """Serve from a thread of its own; returns when every face listens.

        Raises:
            OSError: a port is taken.
        """
        ready: Future[None] = Future()
        self._thread = threading.Thread(
            target=lambda: asyncio.run(self._run(ready)), name="sandbox", daemon=True
        )
        self._thread.start()
        ready.result()
        return self

    def stop(self) -> None:
        if self._thread is not None:
            self._loop.call_soon_threadsafe(self._stop.set)
            self._thread.join(STOP_SECONDS)
            self._thread = None

    def wait(self) -> None:
        """Until somebody stops it."""
        if self._thread is not None:
            self._thread.join()

    def call(self, work: Callable[[], Result]) -> Result:
        """Run a function on the loop's thread, where the world may be read and changed."""

        async def run() -> Result:
            return work()

        return asyncio.run_coroutine_threadsafe(run(), self._loop).result()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    async def _run(self, ready: Future[None]) -> None:
        self._loop, self._stop = asyncio.get_running_loop(), asyncio.Event()
        servers: list[asyncio.Server] = []
        try:
            await self._listen(servers)
        except OSError as error:
            ready.set_exception(error)
            return
        tasks = set(self.site.background())
        if self._database is not None:
            self._database.follow()
            self.world.listeners.append(self._schedule_flush)
        ready.set_result(None)
        await self._stop.wait()
        for server in servers:
            server.close()
        tasks |= asyncio.all_tasks() - {asyncio.current_task()}
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        if self._database is not None:
            self._database.close()

    def _schedule_flush(self, _mailbox: Mailbox, _event: Event) -> None:
        """Write the file once for all that one step of the loop changed."""
        if not self._flushing:
            self._flushing = True
            self._loop.call_soon(self._flush)

    def _flush(self) -> None:
        self._flushing = False
        if self._database is not None:
            self._database.flush()

    async def _listen(self, servers: list[asyncio.Server]) -> None:
        how, site = self.listening, self.site
        web = WebServer(site.handle, self.clock, broken)
        servers.append(await asyncio.start_server(web.connected, how.host, how.ews_port, ssl=how.tls))
        servers.append(await site.smtp.serve(how.host, how.smtp_port, how.tls))
        servers.append(await site.imap.serve(how.host, how.imap_port, how.tls))
        servers.append(await site.pop3.serve(how.host, how.pop3_port, how.tls))
        ports = [int(server.sockets[0].getsockname()[1]) for server in servers]
        root = f"{'https' if how.tls else 'http'}://{how.host}:{ports[0]}"
        site.listening_at(root)
        smtp, imap, pop3 = (f"{how.host}:{port}" for port in ports[1:])
        self.endpoints = Endpoints(f"{root}/EWS/Exchange.asmx", smtp, imap, pop3, f"{root}/sandbox")
