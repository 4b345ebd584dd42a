"""The engine as a process that runs for long: it puts the parts of this package together.

    server     Prefect's, unless one is named (`flows.supervisor`); it starts while the rest is imported
    loop       `procession.engine.Engine.tick`, again and again: events, schedules, claims; milliseconds each
    workers    carry out what the loop claims, and send mails (`flows.pool`, `flows.worker`)
    teller     shows in Prefect what the workers do, beside them (`flows.telling`)
    watch      what people do in Prefect (`flows.watch`), and what nobody told it (`flows.reporting`)
    beat       raised in the background; another engine takes over from one that died

Ctrl-C or SIGTERM: the steps that are under way are finished, but for mails that no server takes; what it had claimed is given back. Kill -9: nothing is lost, the
next engine on this store goes on (decisions 0051 and 0052).
"""

import logging
import threading
import time
from collections.abc import Collection, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext, suppress
from dataclasses import dataclass
from logging.handlers import RotatingFileHandler
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import UUID

from flows.project import Project
from flows.server import named_server
from flows.supervisor import Named, Supervisor
from procession.application import FlowRun
from procession.engine import Engine
from procession.engines import beating
from procession.errors import ProcessionError, TemporaryError, Unforeseen, foreseen
from procession.ports import HasNews, ThisEngine
from procession.publications import Asked, Published

if TYPE_CHECKING:
    from prefect.client.schemas.objects import FlowRun as PrefectRun

    from flows.breaker import Breaker
    from flows.starting import Host
    from flows.watch import Watch

log = logging.getLogger(__name__)

IDLE_SECONDS = 0.5
"""Between two looks while nobody tells of anything new: so late may be what falls due, and what is not told of."""
LOOK_SECONDS = 0.02
"""The same on a store that tells of nothing."""
LOG_BYTES = 5_000_000
PAUSE_SECONDS = 2.0
"""After a tick that failed: the store does not answer, or worse."""
ATTACH_SECONDS = 15.0
"""How long the start waits for Prefect to answer and to know the deployments, unless it is found not to; after that
the engine begins all the same."""


@dataclass(frozen=True, slots=True)
class Serving:
    """A running engine. Implements `procession.application.Running`."""

    prefect: Named | Supervisor
    loop: "Future[None]"
    host: "Host"

    @property
    def ui_url(self) -> str:
        return self.prefect.ui_url

    @property
    def processes(self) -> Collection[str]:
        return self.host.plans

    def wait(self) -> None:
        self.loop.result()

    def flow_runs(self, ids: Collection[str]) -> list[FlowRun]:
        """Raises:
        TemporaryError: Prefect does not answer.
        """
        from prefect.client.schemas.filters import FlowRunFilter, FlowRunFilterId

        from flows.client import UNREACHABLE, connected
        from flows.reporting import NOT_SHOWN

        known, url = [UUID(run) for run in ids if run != NOT_SHOWN], self.prefect.url
        if not self.prefect.answers():
            raise TemporaryError(f"Prefect does not answer at {url}")
        try:
            with connected(url) as client:
                found = client.read_flow_runs(flow_run_filter=FlowRunFilter(id=FlowRunFilterId(any_=known)))
        except UNREACHABLE as error:
            raise TemporaryError(f"Prefect does not answer at {url}: {error}") from error
        return [self._told(run) for run in found]

    def _told(self, run: "PrefectRun") -> FlowRun:
        state = run.state.type.value if run.state else ""
        ended = bool(run.state and run.state.is_final())
        return FlowRun(
            str(run.id),
            run.name,
            state,
            ended,
            f"{self.prefect.url.removesuffix('/api')}/runs/flow-run/{run.id}",
        )


@contextmanager
def serve(application: Project, *, publish: bool | None = None) -> Iterator[Serving]:
    """Run the engine while the block runs. It runs what the database says is current; its own files matter only in
    so far as it is to `publish` them (None: if the application `publishes` by itself).

    A file that cannot be used, and a Prefect server that cannot be started or ends, keep it from nothing.

    Raises:
        ConfigurationError: the store cannot be used.
    """
    settings = application.settings.prefect
    with ExitStack() as stack:
        stack.enter_context(_logged(application.data / "engine.log"))
        if application.redirect_all_to:
            log.warning("test system: all mail is redirected to one address (mail.redirect_all_to)")
        folder, url = application.data / "prefect", named_server(settings.api_url).rstrip("/")
        prefect = Named(url) if url else stack.enter_context(Supervisor(folder, settings.port))
        publish = application.publishes if publish is None else publish
        tell_of_files(application.publish(Asked(dry_run=not publish)))
        import flows.telling  # noqa: F401  # takes a second or two, as the server does to start

        loop, host = stack.enter_context(_working(application, prefect, folder))
        yield Serving(prefect, loop, host)


def tell_of_files(published: Published) -> None:
    """Say in the log what the files changed, and where something else runs than what they say."""
    for problems in published.problems.values():
        for problem in problems:
            log.error("%s", str(problem).splitlines()[0])
    for change in published.changes:
        is_done = published.done and change.what in ("new", "back")
        log.log(logging.INFO if is_done else logging.WARNING, "%s", published.sentence(change))


@contextmanager
def _working(
    application: Project, prefect: Named | Supervisor, folder: Path
) -> Iterator[tuple["Future[None]", "Host"]]:
    """All parts but the server, at work while the block runs."""
    from flows.client import drain, quiet

    until = time.monotonic() + ATTACH_SECONDS
    parts = _parts(application, prefect, folder)
    host, teller, watch = parts.host, parts.teller, parts.watch
    with (
        quiet(folder / "client.log"),
        _left(host.ports.engine),
        ThreadPoolExecutor(1, "engine") as threads,
        teller,
        watch,
    ):
        watch.wait_until_attached(until - time.monotonic())
        log.info(
            "serving %s; Prefect: %s",
            ", ".join(sorted(host.plans)) or "no process",
            prefect.ui_url or "not yet",
        )
        try:
            loop = threads.submit(_loop, parts)
            yield loop, host
        finally:  # also of a signal that comes right after the loop began
            host.stopping.set()
            parts.awake.set()
            threads.shutdown()  # it is over; `wait` raises what it raised
            drain()
    log.info("stopped")


@contextmanager
def _left(engine: ThisEngine) -> Iterator[None]:
    """In the end it is no engine, though what is told of its work after its loop was over asked for its number."""
    try:
        yield
    finally:
        with suppress(ProcessionError):  # the others will find out
            engine.leave()


@dataclass(frozen=True, slots=True)
class _Parts:
    """`awake` is set when there is something to do for the loop."""

    host: "Host"
    engine: Engine
    pool: AbstractContextManager[object]
    teller: AbstractContextManager[object]
    watch: "Watch"
    awake: threading.Event
    news: AbstractContextManager[object]
    idle_seconds: float


def _parts(application: Project, prefect: Named | Supervisor, folder: Path) -> _Parts:
    from flows import deploy
    from flows.pool import Pool
    from flows.publishing import Publisher
    from flows.reporting import Reporter
    from flows.runs import Runs
    from flows.starting import Host
    from flows.telling import Teller
    from flows.watch import Watch
    from flows.worker import Worker

    settings, awake = application.settings, threading.Event()
    host = Host(application.ports(), application.definitions, is_engine=True)
    host.definitions.refresh()
    runs, breaker, publisher = Runs(host, folder / "results"), _breaker(prefect), Publisher()
    teller = Teller(runs, breaker, settings.prefect.patience_seconds)
    watch = Watch(
        runs, Reporter(runs, teller), publisher, breaker,
        lambda client: deploy.register(client, host.definitions, runs, application.project),
    )  # fmt: skip
    pool = Pool(host, Worker(host, teller), settings.workers, settings.batch, awake.set)
    engine = Engine(
        host.ports, host.definitions, pool, settings.batch, publisher, rooms=pool.rooms, send=pool.send
    )
    store = host.ports.store
    news, idle = (
        (store.news(awake.set), IDLE_SECONDS) if isinstance(store, HasNews) else (nullcontext(), LOOK_SECONDS)
    )
    return _Parts(host, engine, pool, teller, watch, awake, news, idle)


def _breaker(prefect: Named | Supervisor) -> "Breaker":
    """Waits for Prefect; without it, work begins as it goes on when Prefect is gone."""
    from flows.breaker import Breaker

    breaker = Breaker(prefect.url, prefect.answers, closed=prefect.is_there(ATTACH_SECONDS))
    prefect.when_started(breaker.try_now)
    return breaker


@contextmanager
def _logged(file: Path) -> Iterator[None]:
    """One line per fact in `file`, whatever the terminal shows."""
    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    handler = RotatingFileHandler(file, maxBytes=LOG_BYTES, backupCount=3, delay=True, encoding="utf-8")
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    loggers = [logging.getLogger(name) for name in ("flows", "procession", "crm")]
    before = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.INFO)
        logger.addHandler(handler)
    try:
        yield
    finally:
        for logger, level in zip(loggers, before, strict=True):
            logger.removeHandler(handler)
            logger.setLevel(level)
        handler.close()


def _loop(parts: _Parts) -> None:
    engine, stopping, awake = parts.engine, parts.host.stopping, parts.awake
    with parts.news, beating(parts.host.ports.engine), parts.pool:
        while not stopping.is_set():
            awake.clear()
            try:
                with foreseen("a tick of the engine"):
                    done = engine.tick()
            except ProcessionError as error:
                traced = isinstance(error, Unforeseen)
                log.error("%s; trying again in %.0f seconds", error.message, PAUSE_SECONDS, exc_info=traced)  # noqa: TRY400  # a sentence, mostly
                stopping.wait(PAUSE_SECONDS)
                continue
            if not done:
                awake.wait(parts.idle_seconds)
