"""How the threads of this process speak to Prefect: one shared client for each, short waits, no heartbeats.

* A client of its own in every flow run costs 20 ms of computing (certificates); so a thread keeps one open.
* A *sync* flow waits up to a second for its heartbeat thread, and no setting turns that off; so it is turned off
  in this thread's copy of the settings. The engine has a beat instead (decision 0052).
* SQLite refuses a request now and then (503) when two collide. Prefect's client would sleep two seconds before it
  tries again; `QuickRetries` tries again after some milliseconds.
"""

import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.context import SyncClientContext
from prefect.events.worker import EventsWorker
from prefect.exceptions import Abort, Pause, PrefectException
from prefect.logging.handlers import APILogWorker, PrefectConsoleHandler
from prefect.settings import temporary_settings
from typing_extensions import override

UNREACHABLE = (httpx.HTTPError, httpx.InvalidURL, PrefectException, OSError)
"""What talking to Prefect can raise when it is down, slow or of another opinion."""

SIGNALS = (Abort, Pause)
"""What Prefect raises (past `except Exception`) when the server forbids a state, for one of a cancelled run."""

FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS = 0.01, 0.4
REQUEST_SECONDS = 10.0


class QuickRetries(httpx.HTTPTransport):
    """Tries again soon when the server is busy, for about a second in all."""

    @override
    def handle_request(self, request: httpx.Request) -> httpx.Response:
        pause = FIRST_PAUSE_SECONDS
        while True:
            response = super().handle_request(request)
            if response.status_code != httpx.codes.SERVICE_UNAVAILABLE or pause > LONGEST_PAUSE_SECONDS:
                return response
            response.close()
            time.sleep(pause)
            pause *= 2


class _Shared(SyncClientContext):
    """Prefect's own context for "the client of this thread", around a client of our making."""

    def __init__(self, client: SyncPrefectClient) -> None:
        super(SyncClientContext, self).__init__(client=client)


@contextmanager
def connected(url: str, request_seconds: float = REQUEST_SECONDS) -> Iterator[SyncPrefectClient]:
    """Make `url` the Prefect API of this thread; flows that run in the block use the client that is yielded.

    It makes no request, so it succeeds whether or not a server is there.
    """
    changed = {
        "api.url": url,
        "client.max_retries": 0,
        "client.server_version_check_enabled": False,
        "api.request_timeout": request_seconds,
        "logging.to_api.when_missing_flow": "ignore",
    }
    with temporary_settings(changed) as settings:
        settings.flows.heartbeat_frequency = None
        limits = httpx.Limits(max_connections=4, keepalive_expiry=25)
        client = get_client(sync_client=True, httpx_settings={"transport": QuickRetries(limits=limits)})
        with _Shared(client):
            yield client


@contextmanager
def quiet(file: Path) -> Iterator[None]:
    """Keep what Prefect's client has to say out of the terminal: its warnings go to `file`.

    The logs of runs go to the server all the same: these handlers are Prefect's own, further down.
    """
    handler = _to_file(file)
    handler.setLevel(logging.WARNING)
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s %(message)s"))
    names = ("prefect", "prefect._internal", "httpx", EventsWorker.__name__, APILogWorker.__name__)
    loggers = [logging.getLogger(name) for name in names]
    before = [(logger, logger.handlers, logger.propagate) for logger in loggers]
    for logger in loggers:
        logger.handlers, logger.propagate = [handler], False
    tasks = logging.getLogger("prefect.task_runs")
    tasks.addFilter(_is_news)
    root = logging.getLogger()
    root.handlers = [h for h in root.handlers if not isinstance(h, PrefectConsoleHandler)]
    logging.raiseExceptions = False  # Prefect's log handler writes to the terminal if its server is gone
    try:
        yield
    finally:
        for logger, handlers, propagate in before:
            logger.handlers, logger.propagate = handlers, propagate
        tasks.removeFilter(_is_news)
        handler.close()


def _to_file(file: Path) -> logging.Handler:
    """Opened here: a handler that cannot open its file later raises that in the middle of Prefect's work."""
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        return logging.FileHandler(file, encoding="utf-8")
    except OSError:
        return logging.NullHandler()


def _is_news(record: logging.LogRecord) -> bool:
    """A task that ends in a failed state is logged twice by Prefect, once with an empty traceback."""
    return not str(record.msg).startswith("Task run failed with")


def drain(seconds: float = 2.0) -> None:
    """Send the events and logs of runs that wait to be sent, for some seconds at most."""
    APILogWorker.drain_all(timeout=seconds)
    EventsWorker.drain_all(timeout=seconds)
