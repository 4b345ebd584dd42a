"""The Prefect server of a project: a child process on this machine, tuned, quiet, and gone with its parent.

`serve` starts it and waits until it is healthy. The child runs Prefect's own `prefect server start`; before
that it begins to watch its standard input, a pipe that only the parent holds: when the parent is gone, even by
kill -9, the pipe closes and the server stops (`PR_SET_PDEATHSIG` would do so when a *thread* of the parent ends).
The first on a machine also makes the tables, for itself and for later projects (`flows.empty_database`).

The settings are measured ones: batched recorders, since one transaction per event makes SQLite refuse half of the
requests; the recorder's interval is not below a second, since less is cut to 0 and becomes a busy loop.
"""

import json
import logging
import os
import re
import runpy
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from flows import empty_database
from procession.errors import ConfigurationError

log = logging.getLogger(__name__)

HOST = "127.0.0.1"
START_SECONDS = 90
"""The very first start on a machine migrates an empty database."""
STOP_SECONDS = 10
LOOK_SECONDS = 0.05
DATABASE = "PREFECT_SERVER_DATABASE_CONNECTION_URL"

TUNED = {
    "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
    "PREFECT_SERVER_UI_SHOW_PROMOTIONAL_CONTENT": "false",
    "PREFECT_SERVER_ALLOW_EPHEMERAL_MODE": "false",
    "PREFECT_SERVER_SERVICES_TASK_RUN_RECORDER_READ_BATCH_SIZE": "100",
    "PREFECT_SERVER_SERVICES_TASK_RUN_RECORDER_BATCH_SIZE": "100",
    "PREFECT_SERVER_SERVICES_TASK_RUN_RECORDER_FLUSH_INTERVAL": "1",
    "PREFECT_SERVER_SERVICES_EVENT_PERSISTER_READ_BATCH_SIZE": "100",
    "PREFECT_SERVER_SERVICES_EVENT_PERSISTER_BATCH_SIZE": "200",
    "PREFECT_SERVER_SERVICES_EVENT_PERSISTER_FLUSH_INTERVAL": "1",
    # idle connections outlive the client's 25 s, so that none is closed under a request
    "PREFECT_SERVER_API_KEEPALIVE_TIMEOUT": "60",
    "PREFECT_SERVER_SERVICES_DB_VACUUM_ENABLED": "events,flow_runs",
    "PREFECT_SERVER_SERVICES_DB_VACUUM_RETENTION_PERIOD": str(60 * 24 * 3600),
    # a page from elsewhere can send what changes something without being asked; it cannot know the token
    "PREFECT_SERVER_API_CSRF_PROTECTION_ENABLED": "true",
    # the UI asks the server it came from, whatever its port is
    "PREFECT_SERVER_UI_API_URL": "/api",
    "DO_NOT_TRACK": "1",
}
"""Settings of the server that differ from Prefect's defaults; what the environment says wins."""

PASSED_ON = re.compile(
    r"PREFECT_.*|PATH|HOME|USER|LOGNAME|LANG|LC_.*|TZ|TMPDIR|TEMP|TMP|SYSTEMROOT|PYTHON.*|VIRTUAL_ENV|XDG_.*|DO_NOT_TRACK"
)
"""Variables of ours that the server gets. A setting that names `env:SECRET` leaves it in our own environment alone."""


class Ended(ConfigurationError):
    """A server that this process started is gone, and nobody asked it to go."""


@dataclass(slots=True)
class PrefectServer:
    """A server that this process started; `url` is that of its API."""

    folder: Path
    port: int
    process: "subprocess.Popen[bytes]"
    url: str = field(init=False)

    def __post_init__(self) -> None:
        self.url = api_url(self.port)

    @property
    def ui(self) -> str:
        return self.url.removesuffix("/api")

    def alive(self) -> bool:
        return self.process.poll() is None

    def last_words(self) -> str:
        """Why it ended."""
        code = self.process.poll()
        if code is not None and code < 0:
            return f"{signal.Signals(-code).name} killed it"
        return _last_line(self.folder / "server.log")

    def where(self) -> str:
        """Where to look, as a sentence."""
        return f"See {self.folder / 'server.log'}."

    def stop(self) -> None:
        """Ask it to stop, and make it stop after `STOP_SECONDS`."""
        if self.alive():
            self.process.terminate()
        try:
            self.process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        if self.process.stdin:
            self.process.stdin.close()


@contextmanager
def serve(folder: Path, port: int = 0) -> Iterator[PrefectServer]:
    """Run a server while the block runs.

    Args:
        folder: holds its database (`prefect.sqlite`) and its log (`server.log`); made if it is missing.
        port: of the loopback interface; 0 takes a free one.

    Raises:
        ConfigurationError: the port is taken, or the server did not become healthy.
    """
    with started(folder, port) as server:
        wait_until_healthy(server)
        yield server


@contextmanager
def started(folder: Path, port: int = 0) -> Iterator[PrefectServer]:
    """As `serve`, but the block begins at once, before the server answers."""
    server = start(folder, port)
    try:
        yield server
    finally:
        server.stop()


def start(folder: Path, port: int = 0) -> PrefectServer:
    """Start a server and return at once; `wait_until_healthy` says when it answers.

    Raises:
        ConfigurationError: the port is taken.
    """
    folder.mkdir(parents=True, exist_ok=True)
    port = usable_port(port)
    env = _environment(folder, port)
    database = folder / "prefect.sqlite"
    there = env[DATABASE] != _url(database) or empty_database.begin(database)
    with (folder / "server.log").open("ab") as server_log:
        process = subprocess.Popen(  # noqa: S603  # this Python, our module
            [sys.executable, "-m", "flows.server", HOST, str(port), *([] if there else [str(database)])],
            env=env,
            stdin=subprocess.PIPE,
            stdout=server_log,
            stderr=subprocess.STDOUT,
            start_new_session=True,  # Ctrl-C is the parent's: it stops the server when its work is told
        )
    return PrefectServer(folder, port, process)


def wait_until_healthy(server: PrefectServer, seconds: float = START_SECONDS) -> None:
    """Raises:
    ConfigurationError: the server ended, or does not answer in time.
    """
    until = time.monotonic() + seconds
    while not is_up(server, until):
        time.sleep(LOOK_SECONDS)


def is_up(server: PrefectServer, until: float) -> bool:
    """Whether a server that was started answers by now; `until` is the moment (`time.monotonic`) by which it must.

    Raises:
        Ended: it will not.
        ConfigurationError: it did not in time.
    """
    if healthy(server.url):
        return True
    if not server.alive():
        raise Ended(f"the Prefect server ended while it started: {server.last_words()}", hint=server.where())
    if time.monotonic() > until:
        raise ConfigurationError(
            f"the Prefect server did not answer at {server.url} in time", hint=server.where()
        )
    return False


def healthy(url: str, timeout_seconds: float = 1) -> bool:
    """Whether a Prefect API answers at `url` (…/api)."""
    try:
        with urllib.request.urlopen(f"{url.rstrip('/')}/health", timeout=timeout_seconds) as answer:  # noqa: S310  # the operator's own address
            return json.load(answer) is True
    except (OSError, ValueError):
        return False


def api_url(port: int) -> str:
    return f"http://{HOST}:{port}/api"


def named_server(configured: str, environment: Mapping[str, str] = os.environ) -> str:
    """The API URL of a server that the operator runs; "" if we are to start one."""
    return configured or environment.get("PREFECT_API_URL", "")


def _environment(folder: Path, port: int) -> dict[str, str]:
    """Pages of this server alone may ask it, and it needs none of our secrets."""
    ours = {
        **TUNED, "PREFECT_HOME": str(folder), DATABASE: _url(folder / "prefect.sqlite"),
        "PREFECT_SERVER_CORS_ALLOWED_ORIGINS": f"http://{HOST}:{port},http://localhost:{port}",
    }  # fmt: skip
    passed_on = {name: value for name, value in os.environ.items() if PASSED_ON.fullmatch(name)}
    env = {**ours, **passed_on}
    env.pop("PREFECT_API_URL", None)
    return env


def _url(database: Path) -> str:
    return f"sqlite+aiosqlite:///{database}"


def usable_port(port: int) -> int:
    """`port` if it is free, or a free one for 0.

    Raises:
        ConfigurationError: another program has it.
    """
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError as error:
            hint = (
                "Stop that program, or choose another port with PROCESSION_PREFECT_PORT (0 takes a free one)."
            )
            who = "another program"
            if healthy(api_url(port)):
                hint += f" To use that server: PREFECT_API_URL={api_url(port)}"
                who = "another Prefect server"
            raise ConfigurationError(f"port {port} is taken by {who}", hint=hint) from error
        return int(probe.getsockname()[1])


def _last_line(file: Path) -> str:
    try:
        lines = file.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError as error:
        return str(error)
    said = (
        line.strip() for line in reversed(lines) if line.strip() and "For further information" not in line
    )
    return next(said, "it said nothing")


def _stop_with_parent() -> None:
    """Stop this process when standard input ends."""

    def watch() -> None:
        while os.read(sys.stdin.fileno(), 1):
            pass
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(STOP_SECONDS)
        os._exit(1)

    threading.Thread(target=watch, name="parent", daemon=True).start()


def _child(host: str, port: str, new_database: str = "") -> None:
    """Run a server in this process.

    Args:
        new_database: has to be made first. Prefect reads its settings once, so another program then starts the server.
    """
    _stop_with_parent()
    if new_database:
        empty_database.make(Path(new_database), _migrate)
        os.execv(sys.executable, [sys.executable, "-m", "flows.server", host, port])  # noqa: S606  # ourselves
    _prefect("server", "start", "--host", host, "--port", port)


def _migrate(database: Path) -> None:
    project = os.environ[DATABASE]
    os.environ[DATABASE] = _url(database)
    try:
        _prefect("server", "database", "upgrade", "--yes")
    except SystemExit as ended:
        if ended.code:
            raise
    finally:
        os.environ[DATABASE] = project


def _prefect(*args: str) -> None:
    sys.argv = ["prefect", *args]
    runpy.run_module("prefect", run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    _child(*sys.argv[1:])
