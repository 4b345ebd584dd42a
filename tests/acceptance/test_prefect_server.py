"""The Prefect server that the engine starts: tuned, and gone with its parent."""

import os
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import httpx
import psutil
import pytest
from prefect_world import eventually

from flows import empty_database, server
from flows.client import connected
from procession.errors import ConfigurationError

pytestmark = pytest.mark.acceptance

PARENT = """
import sys, time
from pathlib import Path
from flows import server
with server.serve(Path(sys.argv[1])) as started:
    print(started.process.pid, started.url, flush=True)
    time.sleep(60)
"""


def test_the_server_ends_when_its_parent_is_killed(tmp_path: Path) -> None:
    parent = subprocess.Popen([sys.executable, "-c", PARENT, tmp_path], stdout=subprocess.PIPE, text=True)
    assert parent.stdout
    pid, url = parent.stdout.readline().split()
    assert server.healthy(url)

    parent.send_signal(signal.SIGKILL)
    parent.wait()
    parent.stdout.close()

    eventually(lambda: not psutil.pid_exists(int(pid)) or psutil.Process(int(pid)).status() == "zombie")
    assert not server.healthy(url)


def test_a_server_that_cannot_start_says_why(tmp_path: Path) -> None:
    (tmp_path / "prefect.sqlite").write_text("this is no database")
    started = server.start(tmp_path)

    with pytest.raises(ConfigurationError) as refused:
        server.wait_until_healthy(started)
    started.stop()

    assert refused.value.message.startswith("the Prefect server ended while it started:")
    assert str(tmp_path / "server.log") in refused.value.hint


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[server.PrefectServer]:
    """A server that was started with a secret and a setting of Prefect in the environment."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SMTP_SECRET", "hunter2")
        patch.setenv("PROCESSION_SMTP_PASSWORD", "env:SMTP_SECRET")
        patch.setenv("PREFECT_SERVER_API_KEEPALIVE_TIMEOUT", "61")
        with server.serve(tmp_path_factory.mktemp("served")) as started:
            yield started


def test_a_web_page_from_elsewhere_may_neither_read_nor_ask(served: server.PrefectServer) -> None:
    """A browser on this machine opens pages of others: they would start processes."""
    ours = served.url.removesuffix("/api")

    allowed = {
        origin: httpx.options(
            f"{served.url}/flow_runs/filter",
            headers={"Origin": origin, "Access-Control-Request-Method": "POST"},
        ).headers.get("access-control-allow-origin")
        for origin in ("https://evil.example", ours)
    }

    assert allowed == {"https://evil.example": None, ours: ours}


def test_a_page_from_elsewhere_cannot_change_what_the_server_has(served: server.PrefectServer) -> None:
    """A browser sends such a request without asking first: it has no header that needs that."""
    sent = httpx.post(
        f"{served.url}/flows/", content=b'{"name": "evil"}', headers={"Origin": "http://evil.example"}
    )
    with connected(served.url) as client:
        flows = [flow.name for flow in client.read_flows()]
        client.create_flow_from_name("ours")
        ours = [flow.name for flow in client.read_flows()]

    assert sent.status_code == 403
    assert (flows, ours) == ([], ["ours"])


def test_the_server_gets_none_of_our_secrets(served: server.PrefectServer) -> None:
    environment = psutil.Process(served.process.pid).environ()

    assert "hunter2" not in environment.values()
    assert {"PATH", "PREFECT_HOME"} <= environment.keys()


def test_what_the_environment_says_wins_over_the_tuned_settings(served: server.PrefectServer) -> None:
    environment = psutil.Process(served.process.pid).environ()

    assert server.TUNED["PREFECT_SERVER_API_KEEPALIVE_TIMEOUT"] != "61"
    assert environment["PREFECT_SERVER_API_KEEPALIVE_TIMEOUT"] == "61"
    assert environment["PREFECT_SERVER_ANALYTICS_ENABLED"] == "false"
    assert environment["DO_NOT_TRACK"] == "1"
    assert "PREFECT_API_URL" not in environment


def test_a_damaged_copy_is_made_anew_and_the_next_project_begins_with_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    copy = empty_database.kept()
    copy.parent.mkdir(parents=True)
    copy.write_bytes(b"damaged")

    with server.serve(tmp_path / "first") as first:
        flows_of_the_first = rows(first, "flow")
    with server.started(tmp_path / "second") as second:
        tables_before_it_answers = tables(second)
        server.wait_until_healthy(second)
        tables_then = tables(second)
        made = " ".join(second.process.args)

    assert empty_database.begin(tmp_path / "third.sqlite")
    assert tables_before_it_answers == tables_then
    assert {"flow", "flow_run", "task_run", "deployment", "automation"} <= tables_then
    assert flows_of_the_first == 0
    assert "prefect.sqlite" not in made


def test_two_first_starts_at_once_are_both_well(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))

    with server.started(tmp_path / "one") as one, server.started(tmp_path / "other") as other:
        server.wait_until_healthy(one)
        server.wait_until_healthy(other)

    assert empty_database.begin(tmp_path / "third.sqlite")
    assert [file.name for file in (tmp_path / "cache" / "procession").iterdir()] == [
        empty_database.kept().name
    ]


def tables(started: server.PrefectServer) -> set[str]:
    with closing(sqlite3.connect(started.folder / "prefect.sqlite")) as database:
        return {name for (name,) in database.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}


def rows(started: server.PrefectServer, table: str) -> int:
    with closing(sqlite3.connect(started.folder / "prefect.sqlite")) as database:
        return int(database.execute(f"SELECT count(*) FROM {table}").fetchone()[0])


def test_importing_the_prefect_edge_asks_prefect_not_to_report() -> None:
    code = "import os, flows; print(os.environ['DO_NOT_TRACK'])"
    environment = {name: value for name, value in os.environ.items() if name != "DO_NOT_TRACK"}

    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True
    )

    assert done.stdout == "1\n"
