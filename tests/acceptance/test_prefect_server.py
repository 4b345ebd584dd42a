"""The Prefect server that the engine starts: tuned, and gone with its parent."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest
from prefect_world import eventually

from flows import server
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


def test_what_the_environment_says_wins_over_the_tuned_settings(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PREFECT_SERVER_UI_ENABLED", "false")

    with server.serve(tmp_path) as started:
        environment = psutil.Process(started.process.pid).environ()

    assert environment["PREFECT_SERVER_UI_ENABLED"] == "false"
    assert environment["PREFECT_SERVER_ANALYTICS_ENABLED"] == "false"
    assert environment["DO_NOT_TRACK"] == "1"
    assert "PREFECT_API_URL" not in environment


def test_importing_the_prefect_edge_asks_prefect_not_to_report() -> None:
    code = "import os, flows; print(os.environ['DO_NOT_TRACK'])"
    environment = {name: value for name, value in os.environ.items() if name != "DO_NOT_TRACK"}

    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True
    )

    assert done.stdout == "1\n"
