"""Keeps the Prefect server of an engine running, in a thread beside the engine and never in its way.

    started    by the thread; the engine waits for it for some seconds at most
    failed     a port that is taken, a server that ends: said once, in a sentence, and tried again after growing pauses
    damaged    a database that is none any more is moved aside, and the server begins with an empty one

What Prefect did not see meanwhile is told by `flows.reporting`. Something else that answers on our port is not asked:
it may be the server of another project.
"""

import logging
import sqlite3
import threading
import time
from collections.abc import Callable
from contextlib import closing
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import Self

from flows.server import (
    LOOK_SECONDS,
    START_SECONDS,
    Ended,
    PrefectServer,
    api_url,
    healthy,
    is_up,
    started,
    usable_port,
)
from procession.errors import ConfigurationError, ProcessionError, Unforeseen, foreseen

log = logging.getLogger(__name__)

FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS = 1.0, 30.0
STEADY_SECONDS = 60.0
"""A server that ran for so long was well: its end is a first failure."""
ALIVE_SECONDS = 0.5
"""Between two looks whether the server is alive."""


class Named:
    """A server that the operator runs: whether it answers is all there is to know."""

    def __init__(self, url: str) -> None:
        self.url = url

    @property
    def ui_url(self) -> str:
        return self.url.removesuffix("/api")

    def answers(self) -> bool:
        return healthy(self.url)

    def is_there(self, _seconds: float) -> bool:
        return True

    def when_started(self, call: Callable[[], None]) -> None:
        """Nobody tells."""


class Supervisor:
    """A server of our own, at the same address for as long as the `with` block runs.

    Args:
        folder: holds its database and its log.
        port: of the loopback interface; 0 takes a free one.
    """

    def __init__(self, folder: Path, port: int) -> None:
        self._folder = folder
        self._port = port or usable_port(0)
        self.url = api_url(self._port)
        self.problem = ""
        """Why it does not run; "" while it runs, or starts for the first time."""
        self._server: PrefectServer | None = None
        self._settled = threading.Event()
        self._over = threading.Event()
        self._tell_started: Callable[[], None] = lambda: None
        self._thread = threading.Thread(target=self._keep_running, name="Prefect server", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._over.set()
        self._thread.join()

    @property
    def ui_url(self) -> str:
        """Where its pages are; "" while it does not run."""
        return "" if self.problem else self.url.removesuffix("/api")

    def answers(self) -> bool:
        """Whether our own server is up, and not another one at its address."""
        server = self._server
        return server is not None and server.alive() and healthy(self.url)

    def is_there(self, seconds: float) -> bool:
        """Whether it runs, as soon as that is known, or by the end of so many seconds."""
        if not self._settled.wait(seconds):
            log.info("the Prefect server is still starting, and shows the runs later")
        return self.answers()

    def when_started(self, call: Callable[[], None]) -> None:
        """`call` is called each time that a server is up, in a thread of its own."""
        self._tell_started = call

    def _keep_running(self) -> None:
        pause = FIRST_PAUSE_SECONDS
        while not self._over.is_set():
            began = time.monotonic()
            try:
                with foreseen("what keeps the Prefect server running"):
                    self._run()
            except ProcessionError as error:
                self._fail(error)
                if time.monotonic() - began > STEADY_SECONDS:
                    pause = FIRST_PAUSE_SECONDS
                self._over.wait(pause)
                pause = min(2 * pause, LONGEST_PAUSE_SECONDS)

    def _run(self) -> None:
        """One life of a server. Returns when it is to stop.

        Raises:
            ConfigurationError: it cannot be started, or ended.
        """
        database = self._folder / "prefect.sqlite"
        try:
            with started(self._folder, self._port) as server:
                self._follow(server)
        except Ended as ended:
            if not is_damaged(database):
                raise
            raise ConfigurationError(
                f"the database of the Prefect server is damaged, and is kept as {moved_aside(database)}",
                hint="An empty one takes its place, which shows no earlier runs.",
            ) from ended
        except OSError as error:
            raise ConfigurationError(f"the Prefect server cannot be started: {error}") from error
        finally:
            self._server = None

    def _follow(self, server: PrefectServer) -> None:
        until = time.monotonic() + START_SECONDS
        while not is_up(server, until):
            if self._over.wait(LOOK_SECONDS):
                return
        self._server = server
        if self.problem:
            log.info("Prefect is there, and shows the runs at %s", self.url.removesuffix("/api"))
        self.problem = ""
        self._settled.set()
        self._tell_started()
        while server.alive():
            if self._over.wait(ALIVE_SECONDS):
                return
        raise Ended(f"the Prefect server ended: {server.last_words()}", hint=server.where())

    def _fail(self, error: ProcessionError) -> None:
        """Say it, once for each problem."""
        if error.message != self.problem:
            log.warning(
                "%s; processes and mails go on without Prefect, which is tried again and then shows them. %s",
                error.message, error.hint, exc_info=isinstance(error, Unforeseen),
            )  # fmt: skip
        self.problem = error.message
        self._settled.set()


def is_damaged(database: Path) -> bool:
    """Whether a file is there that is no SQLite database, or not a whole one."""
    if not database.exists():
        return False
    try:
        with closing(sqlite3.connect(database, timeout=1)) as opened:
            found: tuple[str] = opened.execute("PRAGMA quick_check(1)").fetchone()
    except sqlite3.OperationalError:  # locked, not readable: nothing is known of it
        return False
    except sqlite3.DatabaseError:
        return True
    return found != ("ok",)


def moved_aside(database: Path) -> Path:
    """Keep a database, and what SQLite has beside it, under a name with the date; returns that.

    Raises:
        ConfigurationError: it cannot be moved.
    """
    now = datetime.now().astimezone()  # noqa: TID251  # for people
    aside = database.with_name(f"{database.stem}-damaged-{now:%Y-%m-%d-%H%M%S}{database.suffix}")
    try:
        for end in ("-wal", "-shm", ""):
            file = database.with_name(database.name + end)
            if file.exists():
                file.replace(aside.with_name(aside.name + end))
    except OSError as error:
        raise ConfigurationError(
            f"the database of the Prefect server is damaged, and cannot be moved aside: {error}",
            hint=f"Delete {database}: it only shows runs.",
        ) from error
    return aside
